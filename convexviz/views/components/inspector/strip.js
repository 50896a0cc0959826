// The strip of paths: one stem a unit on a log scale, its filter below; exact zeros apart.

/** Where everything goes; tiles take two or three rows when there are many units. */
function layoutStrip(app, width) {
  const {rem, k} = app.roles;
  const units = app.state.unit.length;
  const zeros = app.meta.states[app.held.state].n_zero ?? 0;
  const narrow = width < 560;
  const left = 2.8 * rem;
  const right = zeros && !narrow ? 10.5 * rem : 0;
  const cell = (width - left - right) / Math.max(1, units);
  const rows = cell >= 26 * k ? 1 : cell >= 13 * k ? 2 : 3;
  const tile = Math.max(6, Math.min(cell * rows - 4 * k, 54 * k));
  const base = (narrow ? 5.25 : 6.5) * rem;
  const words = zeros && !narrow ? 3.5 * rem : 0; // beside the tiles
  const below = Math.max(8 + rows * (tile + 4 * k), words);
  const height = base + below + (zeros && narrow ? 1.75 * rem : 4);
  return {units, zeros, narrow, left, right, cell, rows, tile, base, height, width};
}

function drawStrip(app) {
  const canvas = app.find('.strip');
  if (!canvas.clientWidth) return; // not laid out: the page is being left
  // Two pixels of one pattern light the same units: nothing to draw again.
  const key = [app.held.state, app.held.path, app.probes[0].id, canvas.clientWidth].join();
  if (app.stripKey === key) return;
  app.stripKey = key;
  const layout = layoutStrip(app, canvas.clientWidth);
  app.strip = layout;
  canvas.style.height = `${layout.height}px`;
  const [context] = fitCanvas(canvas, layout.height);
  if (layout.units) {
    const heightOf = drawDecades(app, context, layout);
    app.state.sorted.forEach((unit, rank) => drawUnit(app, context, layout, unit, rank, heightOf));
  }
  if (layout.zeros) drawZeros(app, context, layout);
}

/** Hairlines at the powers of ten; returns norm -> y. */
function drawDecades(app, context, {left, right, base, width, narrow}) {
  const {norms, sorted} = app.state;
  const top = Math.ceil(Math.log10(norms[sorted[0]]) + 0.02);
  const smallest = norms[sorted[sorted.length - 1]];
  const bottom = Math.min(top - 1, Math.floor(Math.log10(smallest) - 0.02));
  const margin = 0.625 * app.roles.rem;
  const heightOf = (norm) => margin + ((base - margin) * (top - Math.log10(norm))) / (top - bottom);
  const every = Math.ceil((top - bottom + 1) / (narrow ? 4 : 6));
  for (let e = top; e >= bottom; e--) {
    const y = heightOf(10 ** e);
    context.fillStyle = app.roles.line;
    context.fillRect(left, Math.round(y), width - right - left, 1);
    if ((top - e) % every) continue;
    drawText(context, e >= 0 && e < 3 ? String(10 ** e) : `1e${e}`, left - 8, y, {
      fill: app.roles.ink2, size: 0.75 * app.roles.rem, align: 'right', base: 'middle',
      font: app.roles.font,
    });
  }
  return heightOf;
}

function isLitUnit(app, unit) {
  if (app.held.path >= 0) return unit === app.held.path;
  const [row, column] = app.probes[0].pixel;
  return isActive(app.state, row * app.meta.w + column, unit);
}

function drawUnit(app, context, layout, unit, rank, heightOf) {
  const {left, cell, tile, base, rows} = layout;
  const {roles} = app;
  const on = isLitUnit(app, unit);
  const centre = left + (rank + 0.5) * cell;
  const y = heightOf(app.state.norms[unit]);
  const colour = on ? roles.convex : withAlpha(roles.convex, roles.dark ? 0.45 : 0.38);
  Object.assign(context, {strokeStyle: colour, fillStyle: colour});
  const dot = Math.min(cell * 0.45, on ? 6.5 : 5);
  context.lineWidth = Math.min(cell * 0.4, on ? 4 : 3) * roles.k;
  context.beginPath();
  context.moveTo(centre, base);
  context.lineTo(centre, y);
  context.stroke();
  context.beginPath();
  context.arc(centre, y, dot * roles.k, 0, 7);
  context.fill();
  const row = rank % rows;
  const x = Math.max(left, Math.min(layout.width - layout.right - tile, centre - tile / 2));
  const top = base + 8 + row * (tile + 4 * roles.k);
  if (row > 0) {
    context.fillStyle = roles.line;
    context.fillRect(centre - 0.5, base, 1, top - base);
  }
  drawTile(app, context, {unit, x, y: top, tile, on});
}

function drawTile(app, context, {unit, x, y, tile, on}) {
  const {k2} = app.model;
  const picture = app.tiles[unit] ??= document.createElement('canvas');
  if (picture.__table !== app.tables.diverging) {
    picture.__table = app.tables.diverging;
    const filter = app.state.filters.subarray(unit * k2, (unit + 1) * k2);
    drawFilter(app, picture, filter, largest(filter));
  }
  context.imageSmoothingEnabled = false;
  context.globalAlpha = on ? 1 : 0.5;
  context.drawImage(picture, x, y, tile, tile);
  context.globalAlpha = 1;
  if (!on) return;
  const rim = Math.min(3, tile / 8) * app.roles.k;
  Object.assign(context, {strokeStyle: app.roles.hand, lineWidth: rim});
  context.strokeRect(x + rim / 2, y + rim / 2, tile - rim, tile - rim);
}

/** Hollow rings: these are zero, not small. */
function drawZeros(app, context, {zeros, narrow, right, base, height, width}) {
  const {roles} = app;
  const words = unitWords(app.model, app.held.state);
  const size = 0.875 * roles.rem;
  const style = {fill: roles.ink, size, font: roles.font};
  const name = zeros === 1 ? words.one : words.many;
  if (narrow) {
    drawText(context, `${zeros} more ${name} exactly zero`, 2, height - 6, style);
    return;
  }
  const [x0, x1] = [width - right + 1.4 * roles.rem, width - 2];
  const step = Math.min(10 * roles.k, (x1 - x0) / Math.min(zeros, 20));
  const rows = Math.ceil(zeros / Math.max(1, Math.floor((x1 - x0) / step)));
  const across = Math.ceil(zeros / rows);
  Object.assign(context, {strokeStyle: roles.noise, fillStyle: roles.paper});
  context.lineWidth = 1.5 * roles.k;
  for (let i = 0; i < zeros; i++) {
    const y = base - (rows - 1 - Math.floor(i / across)) * 9 * roles.k;
    context.beginPath();
    context.arc(x0 + ((i % across) + 0.5) * step, y, Math.min(2.6 * roles.k, step / 2.6), 0, 7);
    context.fill();
    context.stroke();
  }
  drawText(context, `${zeros} ${name} ${zeros === 1 ? 'is' : 'are'}`, x0, base + 0.75 * roles.rem + size, style);
  drawText(context, 'exactly zero', x0, base + 0.75 * roles.rem + 2.3 * size, style);
}

/** The unit under a pointer event over the strip, or -1. */
function unitUnder(app, event) {
  const box = app.find('.strip').getBoundingClientRect();
  const rank = Math.floor((event.clientX - box.left - app.strip.left) / app.strip.cell);
  return app.state.sorted[rank] ?? -1;
}

function attachStrip(app) {
  const strip = app.find('.strip');
  const choose = (unit) => {
    if (unit === app.held.path) return;
    app.held.path = unit;
    app.request();
  };
  strip.onpointermove = (event) => choose(unitUnder(app, event));
  strip.onpointerdown = (event) => choose(unitUnder(app, event));
  strip.onpointerleave = (event) => { if (event.pointerType === 'mouse') choose(-1); };
  strip.onblur = () => choose(-1);
  strip.onkeydown = (event) => {
    const {sorted} = app.state;
    const rank = sorted.indexOf(app.held.path);
    const next = {ArrowRight: rank + 1, ArrowLeft: rank - 1, Home: 0, End: sorted.length - 1}[event.key];
    if (event.key === 'Escape') choose(-1);
    if (next === undefined) return;
    event.preventDefault();
    choose(sorted[Math.max(0, Math.min(sorted.length - 1, next))] ?? -1);
  };
}
