// A grid of small pictures: drawn from factors (mean + sum of directions), or out of stored frames.

function tilesPanel(app, panel) {
  const grid = document.createElement('div');
  grid.className = 'b-grid';
  panel.box.append(grid);
  Object.assign(panel, {grid, held: null});
  if (panel.spec.ends) attachTiles(app, panel);
  const draw = () => {
    const {spec} = panel;
    grid.classList.toggle('b-smooth', spec.channels === 3);
    grid.style.setProperty('--across', spec.across);
    grid.style.setProperty('--across-phone', spec.acrossPhone ?? Math.min(spec.across, 5));
    fillGrid(panel);
    if (spec.form === 'factors') drawFactors(panel);
    else drawFrames(panel);
  };
  const watch = () => {
    const {variable, sets, ends, watch: more = []} = panel.spec;
    return [variable, sets, ends, ...more].filter(Boolean);
  };
  return {watch, draw, refill: () => forgetFactors(panel), stop: () => clearTimeout(panel.settling)};
}

function fillGrid(panel) {
  const {grid, spec} = panel;
  while (grid.children.length > spec.count) grid.lastChild.remove();
  while (grid.children.length < spec.count) {
    const cell = document.createElement('div');
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    const words = document.createElement('span');
    words.className = 'sub';
    cell.append(canvas, words);
    if (spec.ends) {
      cell.className = 'b-tile';
      cell.setAttribute('role', 'button');
      cell.tabIndex = 0;
    }
    grid.append(cell);
  }
  [...grid.children].forEach((cell, i) => {
    holdNear(cell, Boolean(spec.beside));
    const words = spec.labels?.[i] ?? '';
    cell.lastChild.textContent = words;
    cell.lastChild.hidden = !words;
    cell.firstChild.setAttribute('aria-label', `${spec.each ?? 'picture'} ${i + 1}${words ? `, ${words}` : ''}`);
  });
}

/** Stored frames (F, count, h, w): signed int8, each tile over its own largest, or grey bytes. */
function drawFrames(panel) {
  const {app, app: {roles}, arrays: {frames}, spec, spec: {h, w, count}} = panel;
  const size = h * w;
  const at = frameOf(app, spec, frames.length / (count * size));
  const signed = frames instanceof Int8Array;
  const table = signed ? colourTable(roles.diverging) : colourTable([[0, 0, 0], [255, 255, 255]]);
  [...panel.grid.children].forEach((cell, i) => {
    const start = (at * count + i) * size;
    const [low, high] = signed ? [-127, 127] : [0, 255];
    drawHeat(cell.firstChild, frames.subarray(start, start + size), w, h, table, low, high);
  });
}

/** What each direction counts for now: sqrt(max(s2 - beta, 0) / n), or 1 for the first k. */
function gainsOf(panel) {
  const {app, spec, arrays} = panel;
  const now = app.values[spec.variable];
  return Float32Array.from(arrays.strength, (s2, i) => (spec.rule === 'soft'
    ? Math.sqrt(Math.max(s2 - now, 0) / spec.n) : (i < now ? Math.sqrt(s2 / spec.n) : 0)));
}

/** New contents: what was drawn stays where the factors are the same. */
function forgetFactors(panel) {
  const {held, arrays} = panel;
  const same = (name) => {
    const [a, b] = [held.from[name], arrays[name]];
    return a.length === b.length && a.every((value, i) => value === b[i]);
  };
  if (held?.from && ['mean', 'strength', 'scale', 'latents', 'directions'].every(same)) held.from = arrays;
  else panel.held = null;
}

/** Directions as they are added, and the largest value of each: made once. */
function factorsOf(panel) {
  const {arrays} = panel;
  if (panel.held) return panel.held;
  const size = arrays.mean.length;
  const k = arrays.strength.length;
  const U = Float32Array.from(arrays.directions);
  const tops = new Float32Array(k);
  for (let i = 0; i < k; i++) {
    const scale = arrays.scale[i];
    for (let q = i * size; q < (i + 1) * size; q++) {
      U[q] *= scale;
      tops[i] = Math.max(tops[i], Math.abs(U[q]));
    }
  }
  panel.held = {from: arrays, U, tops, size, k, drawn: new Float32Array(k), sums: null, latents: null, redrawn: 0};
  return panel.held;
}

/** The latents of the tiles, (count, k): of the set that is on, where there are several. */
function latentsOf(panel) {
  const {app, arrays, spec: {count, sets, latents}} = panel;
  const given = app.values[latents];
  if (given || !sets) return given ?? arrays.latents;
  const size = count * arrays.strength.length;
  const at = Math.round(app.values[sets] ?? 0) % (arrays.latents.length / size);
  if (panel.held?.set !== at || !panel.held.own) {
    Object.assign(factorsOf(panel), {set: at, own: arrays.latents.subarray(at * size, (at + 1) * size)});
  }
  return panel.held.own;
}

/** sum += sum_j step_j U_j over the directions `on`, two at a time: the memory is the cost. */
function addDirections(sum, {U, size}, on, steps) {
  for (let j = 0; j + 1 < on.length; j += 2) {
    const [a, b, s, t] = [on[j] * size, on[j + 1] * size, steps[j], steps[j + 1]];
    for (let q = 0; q < size; q++) sum[q] += s * U[a + q] + t * U[b + q];
  }
  if (on.length % 2) {
    const [a, s] = [on.at(-1) * size, steps.at(-1)];
    for (let q = 0; q < size; q++) sum[q] += s * U[a + q];
  }
}

const SEEN = 0.5;  // levels of 255: a change of a direction that is less is not drawn while dragging
const SETTLE_MS = 250;

/** mean + sum_i gain_i z_i U_i, all tiles; only directions whose change is seen are drawn again. */
function drawFactors(panel, seen = SEEN) {
  const {arrays, spec: {count}} = panel;
  const gains = gainsOf(panel);
  const held = factorsOf(panel);
  const {k, drawn} = held;
  const latents = latentsOf(panel);
  if (!held.sums || held.latents !== latents) {
    held.latents = latents;
    held.sums = Array.from({length: count}, () => Float32Array.from(arrays.mean));
    held.largest = latents.reduce((most, z) => Math.max(most, Math.abs(z)), 0);
    drawn.fill(0);
  }
  const changed = [];
  let left = 0;
  for (let i = 0; i < k; i++) {
    const change = Math.abs(gains[i] - drawn[i]) * held.largest * held.tops[i];
    if (change > seen) changed.push(i);
    else left += change;
  }
  held.redrawn = changed.length;
  for (let tile = 0; tile < count; tile++) {
    if (changed.length) {
      const steps = changed.map((i) => (gains[i] - drawn[i]) * latents[tile * k + i]);
      addDirections(held.sums[tile], held, changed, steps);
    }
    if (changed.length || !panel.grid.children[tile].dataset.drawn) paintTile(panel, tile, held.sums[tile]);
  }
  for (const i of changed) drawn[i] = gains[i];
  clearTimeout(panel.settling);  // what was too little to see adds up: drawn once the hand rests
  if (left > 0) panel.settling = setTimeout(() => settleFactors(panel), SETTLE_MS);
  writeTiles(panel);
}

function settleFactors(panel) {
  drawFactors(panel, 0);
  if (panel.spec.ends) requestDraw(panel.app, [panel.spec.ends]);
}

/** A small canvas under a tile, or none. */
function holdNear(cell, wanted) {
  const near = cell.querySelector('.b-near');
  cell.classList.toggle('b-with-near', wanted);
  if (wanted && !near) {
    const made = document.createElement('canvas');
    made.className = 'b-near';
    made.setAttribute('aria-hidden', 'true');
    cell.lastChild.before(made);
  } else if (!wanted) near?.remove();
}

/** The picture beside a tile's number. */
function paintNear(panel, cell, at) {
  const near = cell.querySelector('.b-near');
  if (!near || (near.dataset.at === String(at) && near.from === panel.arrays.beside)) return;
  near.dataset.at = at;
  near.from = panel.arrays.beside;
  const [h, w, channels] = panel.spec.beside;
  const size = h * w * channels;
  paintSum(near, {spec: {h, w, channels}}, panel.arrays.beside.subarray(at * size, (at + 1) * size));
}

/** The number under each tile, and which two are chosen. */
function writeTiles(panel) {
  const {app, arrays, grid, spec} = panel;
  const {count, states, sets, ends} = spec;
  const at = arrays.written ? frameOf(app, spec, states) : 0;
  const set = Math.round(app.values[sets] ?? 0);
  [...grid.children].forEach((cell, tile) => {
    if (arrays.written) {
      const place = (set * states + at) * count + tile;
      const value = arrays.written[place] / 100;
      if (arrays.beside) paintNear(panel, cell, arrays.which[place]);
      cell.lastChild.textContent = value.toFixed(1);
      cell.lastChild.hidden = false;
    }
    if (!ends) return;
    const place = app.values[ends].indexOf(tile);
    cell.dataset.end = place < 0 ? '' : 'AB'[place];
    cell.setAttribute('aria-pressed', String(place >= 0));
    cell.setAttribute('aria-label', `${spec.each} ${tile + 1}${arrays.written ? `, nearest real one at ${cell.lastChild.textContent}` : ''}`);
  });
}

/** A click takes a tile in place of the one that was chosen longer ago; arrows walk the grid. */
function attachTiles(app, panel) {
  const {grid} = panel;
  const tileOf = (event) => [...grid.children].indexOf(event.target.closest('.b-tile'));
  const choose = (tile) => {
    const [, later] = app.values[panel.spec.ends];
    if (tile >= 0 && tile !== later) setValue(app, panel.spec.ends, [later, tile]);
  };
  grid.onclick = (event) => choose(tileOf(event));
  grid.onkeydown = (event) => {
    const across = getComputedStyle(grid).gridTemplateColumns.split(' ').length;
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across}[event.key];
    const tile = tileOf(event);
    if (event.key === 'Enter' || event.key === ' ') choose(tile);
    else if (step === undefined) return;
    else grid.children[tile + step]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
}

function paintTile(panel, tile, sum) {
  panel.grid.children[tile].dataset.drawn = 'true';
  paintSum(panel.grid.children[tile].firstChild, panel, sum);
}

/** A sum of directions, in levels of 255, on a canvas of its size. */
function paintSum(canvas, panel, sum) {
  const {h, w, channels, warp} = panel.spec;
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  if (panel.picture?.width !== w || panel.picture.height !== h) panel.picture = new ImageData(w, h);
  const {picture} = panel;
  const {data} = picture;
  if (warp) warpTexture(data, sum, warp);
  else {
    for (let q = 0, p = 0; p < data.length; q += channels, p += 4) {
      data[p] = sum[q];
      data[p + 1] = sum[q + (channels === 3 ? 1 : 0)];
      data[p + 2] = sum[q + (channels === 3 ? 2 : 0)];
      data[p + 3] = 255;
    }
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
}
