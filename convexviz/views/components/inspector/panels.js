// The two squares on the right: filter and response of one probe, or two probes side by side.

/** Lay out what the probes (or a path) say. */
function drawPanels(app) {
  const compare = app.probes.length === 2 && app.held.path < 0;
  app.box.classList.toggle('compare', compare);
  for (const name of ['filter', 'response']) {
    const figure = app.panels[name];
    figure.querySelector('.sq.f').hidden = compare;
    figure.querySelector('.probe').hidden = !compare;
  }
  if (compare) drawComparison(app);
  else drawSingle(app);
}

function caption(app, panel, left, right) {
  const [label, sub] = app.panels[panel].querySelectorAll('figcaption span');
  label.textContent = left;
  sub.textContent = right;
}

function drawSingle(app) {
  const alone = app.held.path >= 0;
  const probe = app.probes[0];
  const covered = !alone && isCovered(app, probe);
  const {filter} = alone ? unitAlone(app.model, app.state, app.held.path) : probe;
  const whole = alone ? filter : withIdentity(app.model, filter);
  const [row, column] = probe.pixel;
  const place = `row ${row}, col ${column}`;
  const rank = app.state.sorted.indexOf(app.held.path) + 1;
  const words = unitWords(app.model, app.held.state);
  const name = alone ? `${capital(words.one)} ${rank}` : 'Filter under the probe';
  caption(app, 'filter', probe.letter && !alone ? `Filter at ${probe.letter}, pinned` : name,
    alone ? 'its own filter' : place);
  app.find('.at-filter .cover').hidden = !covered;
  app.find('.at-response .cover').hidden = !covered;
  const heat = app.find('.at-filter .heat');
  if (covered) drawPatch(app, heat, probe.pixel);
  else drawFilter(app, heat, filter, largest(filter));
  drawIdentity(app, !covered && !alone);
  const response = app.respond(covered ? new Float64Array(app.model.k2) : whole);
  const top = largest(response);
  drawHeat(app.find('.at-response .heat'), response, RESPONSE, RESPONSE, app.tables.sequential, 0, top || 1);
  const included = app.meta.residual && !alone ? 'with identity, ' : '';
  caption(app, 'response', 'Frequencies it keeps', covered ? '' : `${included}max ${top.toFixed(2)}`);
}

function largest(array) {
  let top = 0;
  for (const value of array) top = Math.max(top, Math.abs(value));
  return top;
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

function drawFilter(app, canvas, filter, range) {
  drawHeat(canvas, filter, app.meta.k, app.meta.k, app.tables.diverging, -(range || 1), range || 1);
}

/** While the quiz covers the filter: the noisy pixels that the filter looks at. */
function drawPatch(app, canvas, [row, column]) {
  const {k, w, low, high} = app.meta;
  const half = Math.floor(k / 2);
  const [black, white] = app.meta.show ?? [low, high];
  const patch = new Float64Array(k * k);
  for (let i = 0; i < k * k; i++) {
    const at = clampPixel(app, [row + Math.floor(i / k) - half, column + (i % k) - half]);
    patch[i] = valueAt(app.model, app.arrays.noisy, at[0] * w + at[1]);
  }
  drawHeat(canvas, patch, k, k, app.tables.grey, black, white);
}

/** The skip connection of a residual network: one more, on the centre pixel. */
function drawIdentity(app, shown) {
  const [context, side] = fitCanvas(app.find('.at-filter .over'));
  if (!shown || !app.meta.residual) return;
  const {k} = app.meta;
  const cell = side / k;
  const at = Math.floor(k / 2) * cell;
  Object.assign(context, {lineWidth: 2 * app.roles.k, strokeStyle: app.roles.ink});
  context.setLineDash([4, 3]);
  context.strokeRect(at, at, cell, cell);
  context.setLineDash([]);
  const size = Math.min(0.8125 * app.roles.rem, cell * 0.6);
  drawText(context, '+1', at + cell / 2, at + cell / 2, {
    fill: app.roles.ink, size, weight: 600, align: 'center', base: 'middle',
    font: app.roles.font, halo: app.roles.paper,
  });
  drawText(context, '+1: the pixel itself, added by the skip', 8, side - 10, {
    fill: app.roles.ink, size: 0.75 * app.roles.rem, font: app.roles.font, halo: app.roles.paper,
  });
}

/** Two probes, each on its own scale (which is written below it). */
function drawComparison(app) {
  const wholes = app.probes.map((probe) => withIdentity(app.model, probe.filter));
  const responses = wholes.map((whole) => app.respond(whole));
  ['filter', 'response'].forEach((panel, i) => {
    const probe = app.probes[i];
    const [row, column] = probe.pixel;
    caption(app, panel, probe.letter ? `${probe.letter}, pinned` : 'Under the probe', `row ${row}, col ${column}`);
    const card = app.panels[panel].querySelector('.probe');
    if (!card.firstChild) card.innerHTML = PROBE_HTML;
    const covered = isCovered(app, probe);
    const [left, right] = card.querySelectorAll('canvas');
    if (covered) drawPatch(app, left, probe.pixel);
    else drawFilter(app, left, probe.filter, largest(probe.filter));
    const response = covered ? new Float64Array(RESPONSE * RESPONSE) : responses[i];
    drawHeat(right, response, RESPONSE, RESPONSE, app.tables.sequential, 0, largest(response) || 1);
    writeNumbers(app, card, probe, describeFilter(wholes[i], app.meta.k), covered);
  });
}

const PROBE_HTML = `<div class="tiles"><canvas role="img" aria-label="effective filter"></canvas>
  <canvas role="img" aria-label="frequency response"></canvas></div><dl>
  <dt>Sum of weights</dt><dd></dd>
  <dt>Largest weight</dt><dd></dd><dt>Long axis</dt><dd></dd><dt>Width</dt><dd></dd>
  <dt></dt><dd></dd><dt>Same pattern</dt><dd></dd></dl>`;

function writeNumbers(app, card, probe, shape, covered) {
  const words = unitWords(app.model, app.held.state);
  const round = shape.short > 0 && shape.long / shape.short < 1.15;
  const numbers = [
    formatSigned(shape.gain),
    largest(probe.filter).toPrecision(2),
    round ? 'round' : `${shape.angle}°`,
    `${(2 * shape.long).toFixed(1)} × ${(2 * shape.short).toFixed(1)} px`,
    `${probe.active} of ${app.state.unit.length}`,
    `${formatCount(probe.count)} px, ${formatShare(probe.count, app.model.n)}`,
  ];
  card.querySelectorAll('dt')[4].textContent = `${capital(words.many)} ${words.on}`;
  card.querySelectorAll('dd').forEach((cell, i) => {
    cell.textContent = covered && i < 4 ? '?' : numbers[i];
  });
}
