// Curves against a quantity, with bands, reference lines, and a dot where a variable stands.

function curvePanel(app, panel) {
  const draggable = panel.spec.drag && panel.spec.cursor;
  const canvas = makeCanvas(panel, {role: draggable ? 'slider' : 'img', 'aria-label': panel.spec.alt ?? panel.spec.title});
  if (draggable) canvas.setAttribute('tabindex', '0');
  sizeCanvas(canvas, panel.spec.height ?? 13);
  Object.assign(panel, {canvas, hot: false});
  buildPlaneKey(panel);
  if (draggable) attachCursor(app, panel);
  else if (panel.spec.cursor) canvas.onpointermove = null;
  return {watch: () => [panel.spec.cursor, panel.spec.variable].filter(Boolean), draw: () => drawCurves(panel), refill: () => refillKey(panel)};
}

/** The curves; with a `variable`, arrays hold one curve for each of its values, end to end. */
function seriesOf(panel) {
  const {app, arrays, spec} = panel;
  const at = spec.variable ? frameOf(app, spec, spec.frames) : 0;
  const now = (array) => {
    if (!array || !spec.variable) return array;
    const length = array.length / spec.frames;
    return array.subarray(at * length, (at + 1) * length);
  };
  return spec.series.map((series, i) => ({
    ...series,
    x: now(arrays[`x${i}`] ?? arrays.x),
    y: now(arrays[`y${i}`]),
    low: now(arrays[`low${i}`]),
    high: now(arrays[`high${i}`]),
  }));
}

function curveRange(series, references, names, log) {
  const found = [];
  for (const each of series) for (const name of names) for (const v of each[name] ?? []) found.push(v);
  for (const {y} of references) found.push(y);
  const fine = found.filter((v) => Number.isFinite(v) && (!log || v > 0));
  return fine.length ? [Math.min(...fine), Math.max(...fine)] : [0.1, 1];
}

function drawCurves(panel) {
  const {app, app: {roles}, spec} = panel;
  const [context, width, height] = fitCanvas(panel.canvas, panel.canvas.clientHeight);
  const series = seriesOf(panel);
  const references = spec.references ?? [];
  const [xLow, xHigh] = spec.xRange ?? curveRange(series, [], ['x'], spec.xLog);
  let [yLow, yHigh] = spec.yRange ?? curveRange(series, references, ['y', 'low', 'high'], spec.yLog);
  if (!spec.yRange && !spec.yLog) {
    const pad = 0.06 * (yHigh - yLow) || 0.1;
    [yLow, yHigh] = [yLow - pad, yHigh + pad];
  } else if (!spec.yRange) [yLow, yHigh] = [yLow / 1.6, yHigh * 1.6];
  const place = {
    left: 3.2 * roles.rem, right: width - 8 * roles.k, top: 8 * roles.k,
    bottom: height - (spec.xLabel ? 2.9 : 1.8) * roles.rem,
  };
  place.x = makeScale(xLow, xHigh, place.left + 4 * roles.k, place.right, spec.xLog);
  place.y = makeScale(yLow, yHigh, place.bottom - 2 * roles.k, place.top, spec.yLog);
  panel.place = place;
  drawAxes(context, roles, place, spec);
  for (const each of series) drawBand(context, roles, place, each);
  for (const each of references) drawReference(context, roles, place, each);
  for (const each of series) drawOneCurve(context, roles, place, each);
  for (const each of series) drawCurveLabel(context, roles, place, each);
  if (spec.cursor) drawCursor(context, panel, place, series, app.values[spec.cursor]);
  writePlaneKey(panel);
}

function drawBand(context, roles, {x, y}, {x: xs, low, high, role}) {
  if (!low || !high) return;
  context.beginPath();
  for (let i = 0; i < xs.length; i++) context.lineTo(x.to(xs[i]), y.to(high[i]));
  for (let i = xs.length - 1; i >= 0; i--) context.lineTo(x.to(xs[i]), y.to(low[i]));
  context.closePath();
  context.fillStyle = withAlpha(colourOf(roles, role), roles.dark ? 0.22 : 0.14);
  context.fill();
}

function drawReference(context, roles, {y, left, right}, {y: value, role, words, above = true, at: share = 1}) {
  const at = y.to(value);
  const colour = colourOf(roles, role ?? 'ink2');
  drawLine(context, [[left, at], [right, at]], {colour, width: 1.5 * roles.k, dash: [6 * roles.k, 4 * roles.k]});
  drawText(context, words, left + (1 - share) * 6 * roles.k + share * (right - left), at + (above ? -5 : 13) * roles.k, {
    fill: colour, size: 0.75 * roles.rem, weight: 600, align: ['left', 'center', 'right'][Math.round(2 * share)], font: roles.font, halo: roles.paper,
  });
}

function drawOneCurve(context, roles, {x, y}, {x: xs, y: ys, role, width, dashed, dots}) {
  const colour = colourOf(roles, role);
  const points = Array.from(ys, (v, i) => [x.to(xs[i]), Number.isFinite(v) ? y.to(v) : NaN]);
  if (width !== 0) drawLine(context, points, {colour, width: (width ?? 3) * roles.k, dash: dashed ? [7 * roles.k, 5 * roles.k] : []});
  if (!dots) return;
  context.fillStyle = colour;
  for (const [px, py] of points) {
    if (!Number.isFinite(py)) continue;
    context.beginPath();
    context.arc(px, py, 3.2 * roles.k, 0, 7);
    context.fill();
  }
}

/** Beside its line, right-anchored, in its colour: this replaces the legend. */
function drawCurveLabel(context, roles, {x, y, right}, {x: xs, y: ys, words, role, at = 0.98, up = true}) {
  if (!words) return;
  const i = Math.max(0, Math.min(ys.length - 1, Math.round(at * (ys.length - 1))));
  const value = Number.isFinite(ys[i]) ? ys[i] : ys.findLast?.((v) => Number.isFinite(v)) ?? 0;
  drawText(context, words, Math.min(right, x.to(xs[i])), y.to(value) + (up ? -8 : 17) * roles.k, {
    fill: colourOf(roles, role), size: 0.8125 * roles.rem, weight: 600, align: at < 0.3 ? 'left' : 'right',
    font: roles.font, halo: roles.paper,
  });
}

/** The value of a curve at x, linearly between its points, in the scale that is drawn. */
function valueAt(scale, {x: xs, y: ys}, value) {
  let i = 0;
  while (i < xs.length - 2 && xs[i + 1] < value) i += 1;
  const share = (value - xs[i]) / (xs[i + 1] - xs[i] || 1);
  const inside = Math.max(0, Math.min(1, share));
  if (xs.length < 2) return ys[0];
  if (!scale.log) return ys[i] + inside * (ys[i + 1] - ys[i]);
  return 10 ** (Math.log10(ys[i]) + inside * Math.log10(ys[i + 1] / ys[i]));
}

function drawCursor(context, panel, place, series, value) {
  const {app: {roles}, spec} = panel;
  const where = spec.cursorAt?.[Math.round(value)] ?? value;
  const px = place.x.to(Math.max(place.x.low, Math.min(place.x.high, where)));
  drawLine(context, [[px, place.top], [px, place.bottom]], {colour: withAlpha(roles.ink, 0.35), width: roles.k});
  const read = [];
  for (const each of series) {
    if (each.quiet) continue;
    const now = valueAt(place.y, each, where);
    if (!Number.isFinite(now)) continue;
    const py = place.y.to(now);
    context.beginPath();
    context.arc(px, py, (panel.hot ? 8 : 6.5) * roles.k, 0, 7);
    Object.assign(context, {fillStyle: roles.hand, strokeStyle: colourOf(roles, each.role), lineWidth: 2.5 * roles.k});
    context.fill();
    context.stroke();
    const name = each.said || each.words;
    read.push(`${name ? `${name} ` : ''}${formatTick(Number(now.toPrecision(3)), spec.yUnit)}`);
  }
  const words = read.join(', ');
  noteOf(panel, words);
  if (spec.drag) {
    panel.canvas.setAttribute('aria-valuenow', value);
    panel.canvas.setAttribute('aria-valuetext', `${formatTick(where)}: ${words}`);
  }
}

function attachCursor(app, panel) {
  const {canvas} = panel;
  canvas.classList.add('b-drag-x');
  const choices = () => panel.spec.cursorAt ?? Array.from(panel.arrays.x ?? panel.arrays.x0);
  const nearest = (value) => choices().reduce((best, v, i, all) => (
    Math.abs(v - value) < Math.abs(all[best] - value) ? i : best), 0);
  const move = (index, options) => {
    const inside = Math.max(0, Math.min(choices().length - 1, index));
    setValue(app, panel.spec.cursor, panel.spec.cursorAt ? inside : choices()[inside], options);
  };
  const follow = (event, options) => {
    const box = canvas.getBoundingClientRect();
    move(nearest(panel.place.x.of(event.clientX - box.left)), options);
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    panel.hot = true;
    follow(event, {final: false});
  };
  canvas.onpointermove = (event) => { if (panel.hot) follow(event, {final: false}); };
  canvas.onpointerup = (event) => {
    panel.hot = false;
    follow(event);
  };
  canvas.onpointercancel = () => { panel.hot = false; };
  canvas.onkeydown = (event) => {
    const now = app.values[panel.spec.cursor];
    const index = panel.spec.cursorAt ? Math.round(now) : nearest(now);
    const to = {ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1,
      PageUp: index + 5, PageDown: index - 5, Home: 0, End: choices().length - 1}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
}
