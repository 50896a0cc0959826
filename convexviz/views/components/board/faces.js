// Panels that draw from the factors of a grid of tiles: a blend of two, the directions, distances.

/** The panel of tiles that another one draws from, once its factors are made. */
function sourceOf(app, panel) {
  const source = app.panels.find(({spec}) => spec.id === panel.spec.source);
  factorsOf(source);
  return source;
}

function makeTile(grid, tag = 'canvas') {
  const cell = document.createElement('div');
  const canvas = document.createElement(tag);
  canvas.setAttribute('role', 'img');
  const words = document.createElement('span');
  words.className = 'sub';
  cell.append(canvas, words);
  grid.append(cell);
  return cell;
}

/** mean + sum_i gain_i z_i U_i of one latent vector. */
function pictureOf(source, gains, latent) {
  const sum = Float32Array.from(source.arrays.mean);
  const on = [];
  const steps = [];
  gains.forEach((gain, i) => {
    if (!gain) return;
    on.push(i);
    steps.push(gain * latent(i));
  });
  addDirections(sum, factorsOf(source), on, steps);
  return sum;
}

/** Two tiles and what lies between them: latents on the arc, whose variance stays one. */
function betweenPanel(app, panel) {
  const grid = document.createElement('div');
  grid.className = 'b-grid b-between';
  for (let i = 0; i < 3; i++) makeTile(grid);
  const input = document.createElement('input');
  Object.assign(input, {type: 'range', min: 0, max: 1, step: 'any'});
  input.setAttribute('aria-label', 'Share of the way from face A to face B');
  panel.box.append(grid, input);
  const tell = (options) => setValue(app, panel.spec.variable, Number(Number(input.value).toFixed(2)), options);
  input.oninput = () => tell({final: false});
  input.onchange = () => tell();
  const draw = () => {
    const source = sourceOf(app, panel);
    grid.classList.toggle('b-smooth', source.spec.channels === 3);
    if (!source.held.sums) source.draw();
    const {sums} = source.held;
    const {mean} = source.arrays;
    const [a, b] = app.values[panel.spec.ends];
    const share = app.values[panel.spec.variable];
    const angle = share * Math.PI / 2;
    const ways = [[1, 0], [Math.cos(angle), Math.sin(angle)], [0, 1]];
    ways.forEach(([left, right], i) => {
      // All is linear in the latents: what lies between is a blend of the two tiles.
      const blend = mean.map((m, q) => m + left * (sums[a][q] - m) + right * (sums[b][q] - m));
      const canvas = grid.children[i].firstChild;
      paintSum(canvas, source, blend);
      canvas.setAttribute('aria-label', ['face A', `${Math.round(100 * share)} % of the way`, 'face B'][i]);
    });
    const words = ['A', `${Math.round(100 * share)} % of the way`, 'B'];
    words.forEach((text, i) => { grid.children[i].lastChild.textContent = text; });
    if (Math.abs(Number(input.value) - share) > 0.006) input.value = share;
    input.style.setProperty('--at', `${100 * share}%`);
    input.setAttribute('aria-valuetext', words[1]);
  };
  const watch = () => {
    const {spec} = app.panels.find((other) => other.spec.id === panel.spec.source);
    return [panel.spec.ends, panel.spec.variable, spec.variable, spec.sets].filter(Boolean);
  };
  return {watch, draw};
}

/** The mean, then the mean plus and minus deviations along each direction; dropped ones are pale. */
function directionsPanel(app, panel) {
  const grid = document.createElement('div');
  grid.className = 'b-grid';
  panel.box.append(grid);
  const paint = (source) => {
    const {spec, arrays: {strength}} = source;
    const {count, times} = panel.spec;
    panel.painted = source.held;
    grid.replaceChildren();
    grid.classList.toggle('b-smooth', spec.channels === 3);
    for (let i = 0; i < 2 * count + 1; i++) {
      const which = Math.ceil(i / 2) - 1;
      const sign = i % 2 ? 1 : -1;
      const cell = makeTile(grid);
      const gains = Array.from(strength, (s2, j) => (j === which ? Math.sqrt(s2 / spec.n) : 0));
      paintSum(cell.firstChild, source, pictureOf(source, gains, () => sign * times));
      const words = i ? `${which + 1} ${sign > 0 ? '+' : '\u2212'}` : 'mean';
      cell.lastChild.textContent = words;
      cell.firstChild.setAttribute('aria-label', i ? `mean ${sign > 0 ? 'plus' : 'minus'} direction ${which + 1}` : 'mean');
    }
  };
  const draw = () => {
    const source = sourceOf(app, panel);
    grid.style.setProperty('--across', panel.spec.across);
    grid.style.setProperty('--across-phone', 5);
    if (panel.painted !== source.held) paint(source);
    const now = app.values[panel.spec.variable];
    [...grid.children].forEach((cell, i) => {
      const dropped = i > 0 && !isAbove(source.arrays.strength[Math.ceil(i / 2) - 1], now);
      cell.classList.toggle('b-pale', dropped);
    });
  };
  return {watch: () => [panel.spec.variable], draw};
}

/** Two rows of dots on one axis: generated pictures, and real ones that nothing was learned from. */
function likenessPanel(app, panel) {
  const canvas = makeCanvas(panel, {role: 'img'});
  sizeCanvas(canvas, panel.spec.height);
  const draw = () => {
    const {roles} = app;
    const {spec} = panel;
    const source = sourceOf(app, panel);
    const {count, states, sets} = source.spec;
    const from = (Math.round(app.values[sets] ?? 0) * states + frameOf(app, source.spec, states)) * count;
    const made = Array.from(source.arrays.written.subarray(from, from + count), (v) => v / 100);
    const rows = [[made, 'convex', spec.words[0]], [Array.from(panel.arrays.held_out), 'data', spec.words[1]]]
      .filter(([values]) => values.length);
    const [context, width, height] = fitCanvas(canvas, canvas.clientHeight);
    const bottom = height - 2.6 * roles.rem;
    const x = makeScale(spec.xRange[0], spec.xRange[1], 8 * roles.k, width - 8 * roles.k);
    const text = {fill: roles.ink2, size: 0.75 * roles.rem, font: roles.font};
    Object.assign(context, {strokeStyle: roles.ink2, lineWidth: 1});
    context.strokeRect(0, Math.round(bottom) + 0.5, width, 0);
    for (const v of ticksOf(x, 5)) drawText(context, formatTick(v), x.to(v), bottom + 1.1 * roles.rem, {...text, align: 'center'});
    drawText(context, spec.xLabel, width, bottom + 2.2 * roles.rem, {...text, align: 'right'});
    const said = rows.map(([values, role, words], row) => {
      const y = (row + 0.72) * bottom / 2;
      const sorted = [...values].sort((a, b) => a - b);
      const middle = sorted[Math.floor(sorted.length / 2)];
      const colour = colourOf(roles, role);
      drawText(context, words, 0, y - 0.7 * roles.rem, {fill: colour, size: 0.8125 * roles.rem, weight: 600, font: roles.font});
      values.forEach((value) => {
        context.beginPath();
        context.arc(x.to(Math.min(value, spec.xRange[1])), y, 4 * roles.k, 0, 7);
        Object.assign(context, {fillStyle: withAlpha(colour, 0.5), strokeStyle: colour, lineWidth: 1.2 * roles.k});
        if (role === 'convex') context.fill();
        else context.stroke();
      });
      drawLine(context, [[x.to(middle), y - 8 * roles.k], [x.to(middle), y + 8 * roles.k]], {colour, width: 3 * roles.k});
      return `${words}: from ${sorted[0].toFixed(1)}, median ${middle.toFixed(1)}`;
    });
    canvas.setAttribute('aria-label', said.join('; '));
    noteOf(panel, `medians ${said.map((words) => words.split('median ')[1]).join(' and ')}`);
  };
  const watch = () => {
    const {spec} = app.panels.find((other) => other.spec.id === panel.spec.source);
    return [spec.variable, spec.sets].filter(Boolean);
  };
  return {watch, draw};
}
