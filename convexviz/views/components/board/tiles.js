// A grid of small pictures: drawn from factors (mean + sum of directions), or out of stored frames.

function tilesPanel(app, panel) {
  const grid = document.createElement('div');
  grid.className = 'b-grid';
  panel.box.append(grid);
  Object.assign(panel, {grid, held: null});
  const draw = () => {
    const {spec} = panel;
    grid.style.setProperty('--across', spec.across);
    grid.style.setProperty('--across-phone', spec.acrossPhone ?? Math.min(spec.across, 5));
    fillGrid(panel);
    if (spec.form === 'factors') drawFactors(panel);
    else drawFrames(panel);
  };
  return {watch: () => [panel.spec.variable, ...(panel.spec.watch ?? [])], draw, refill: () => { panel.held = null; }};
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
    grid.append(cell);
  }
  [...grid.children].forEach((cell, i) => {
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

/** mean + sum_i gain_i z_i U_i, all tiles; only directions whose change is seen are drawn again. */
function drawFactors(panel) {
  const {arrays, spec: {count, h, w, channels}} = panel;
  const size = h * w * channels;
  const gains = gainsOf(panel);
  const k = gains.length;
  let held = panel.held;
  if (!held) {
    const U = Float32Array.from(arrays.directions);
    const tops = new Float32Array(k);
    for (let i = 0; i < k; i++) {
      const scale = arrays.scale[i];
      for (let q = i * size; q < (i + 1) * size; q++) {
        U[q] *= scale;
        tops[i] = Math.max(tops[i], Math.abs(U[q]));
      }
    }
    held = panel.held = {U, tops, drawn: new Float32Array(k), sums: null, latents: null, redrawn: 0};
  }
  const latents = panel.app.values[panel.spec.latents] ?? arrays.latents;
  if (!held.sums || held.latents !== latents) {
    held.latents = latents;
    held.sums = Array.from({length: count}, () => Float32Array.from(arrays.mean));
    held.drawn.fill(0);
  }
  let largest = 0;
  for (const z of latents) largest = Math.max(largest, Math.abs(z));
  const changed = [];
  for (let i = 0; i < k; i++) {
    if (Math.abs(gains[i] - held.drawn[i]) * largest * held.tops[i] > 0.5) changed.push(i);
  }
  held.redrawn = changed.length;
  for (let tile = 0; tile < count; tile++) {
    const sum = held.sums[tile];
    for (const i of changed) {
      const step = (gains[i] - held.drawn[i]) * latents[tile * k + i];
      const from = i * size;
      for (let q = 0; q < size; q++) sum[q] += step * held.U[from + q];
    }
    if (changed.length || !panel.grid.children[tile].dataset.drawn) paintTile(panel, tile, sum);
  }
  for (const i of changed) held.drawn[i] = gains[i];
}

function paintTile(panel, tile, sum) {
  const {h, w, channels} = panel.spec;
  const canvas = panel.grid.children[tile].firstChild;
  panel.grid.children[tile].dataset.drawn = 'true';
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, {width: w, height: h});
  const picture = panel.picture ??= new ImageData(w, h);
  const {data} = picture;
  for (let q = 0, p = 0; p < data.length; q += channels, p += 4) {
    data[p] = sum[q];
    data[p + 1] = sum[q + (channels === 3 ? 1 : 0)];
    data[p + 2] = sum[q + (channels === 3 ? 2 : 0)];
    data[p + 3] = 255;
  }
  canvas.getContext('2d').putImageData(picture, 0, 0);
}
