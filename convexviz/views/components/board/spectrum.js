// A spectrum with a cut that is dragged: what is kept is filled, what is dropped is hollow.

/** How many values a cut keeps: the first k, or those above a threshold. */
function keptOf(spec, values, now) {
  return spec.mode === 'threshold' ? values.filter((v) => isAbove(v, now)).length : Math.round(now);
}

/** Above a threshold that may be one of the values: they come in single precision. */
function isAbove(value, threshold) {
  return value > threshold * (1 + 1e-6);
}

function spectrumPanel(app, panel) {
  const canvas = makeCanvas(panel, {tabindex: 0, role: 'slider', 'aria-label': panel.spec.alt ?? panel.spec.title});
  sizeCanvas(canvas, panel.spec.height ?? 15);
  Object.assign(panel, {canvas, hot: false});
  attachCut(app, panel);
  return {watch: () => [panel.spec.variable], draw: () => drawSpectrum(panel)};
}

function spectrumGeometry(panel) {
  const {app: {roles}, spec} = panel;
  const values = Array.from(panel.arrays.values);
  const [context, width, height] = fitCanvas(panel.canvas, panel.canvas.clientHeight);
  const left = 3 * roles.rem;
  const right = width - 13 * roles.k;
  const bottom = height - (spec.xLabel ? 2.9 : 1.8) * roles.rem;
  const positive = values.filter((v) => v > 0);
  const top = Math.max(...values, ...(panel.arrays.second ?? []));
  const least = Math.min(...positive, spec.mode === 'threshold' ? spec.low ?? Infinity : Infinity);
  const low = spec.log ? Math.max(least, top * 1e-7) * 0.7 : 0;
  const y = makeScale(low, top * (spec.log ? 1.6 : 1.08), bottom, 10 * roles.k, spec.log);
  const x = makeScale(0.5, values.length + 0.5, left, right);
  return {context, width, height, values, left, right, bottom, top: 6 * roles.k, x, y, low};
}

function drawSpectrum(panel) {
  const {app, app: {roles}, spec} = panel;
  const place = spectrumGeometry(panel);
  panel.place = place;
  const {context, values, x, y, left, right, bottom} = place;
  const now = app.values[spec.variable];
  const kept = keptOf(spec, values, now);
  const n = values.length;
  const line = spec.mode === 'threshold' ? y.to(Math.max(now, place.low)) : null;
  const xTicks = n < 8 ? values.map((_, i) => i + 1)
    : [1, ...ticksOf({low: 1, high: n}, 4).filter((v) => v > 1 && v < 0.93 * n), n].map(Math.round);
  drawAxes(context, roles, place, {xLabel: spec.xLabel, xTicks});
  if (n > 160) drawDenseSpectrum(panel, place, kept, line);
  else values.forEach((value, i) => drawSpectrumBar(panel, place, i, value, i < kept, line));
  const second = panel.arrays.second;
  if (second) {
    drawLine(context, Array.from(second, (v, i) => [x.to(i + 1), y.to(Math.max(v, place.low))]),
      {colour: colourOf(roles, spec.secondRole ?? 'data'), width: 2 * roles.k});
  }
  context.beginPath();
  Object.assign(context, {strokeStyle: roles.ink, lineWidth: 2.5 * roles.k});
  const cut = x.to(kept + 0.5);
  if (line !== null) {
    context.moveTo(left, line);
    context.lineTo(right, line);
  } else {
    context.moveTo(cut, place.top);
    context.lineTo(cut, bottom);
  }
  context.stroke();
  const handle = line !== null ? [right - 12 * roles.k, line] : [cut, place.top + 0.35 * (bottom - place.top)];
  drawHandle(context, ...handle, roles, {upright: line !== null, hot: panel.hot});
  drawSpectrumWords(panel, place, kept, line, cut);
  writeCut(panel, now, kept, n);
}

function drawSpectrumBar(panel, {context, x, y, bottom, low}, i, value, isKept, line) {
  const {roles} = panel.app;
  const wide = x.to(i + 1.5) - x.to(i + 0.5);
  const width = Math.max(1, Math.min(wide - Math.min(3, 0.25 * wide), 26 * roles.k));
  const [at, tip] = [x.to(i + 1) - width / 2, y.to(Math.max(value, low))];
  if (isKept && line !== null) {
    context.fillStyle = roles.convex;
    context.fillRect(at, tip, width, line - tip);
    context.fillStyle = withAlpha(roles.convex, roles.dark ? 0.28 : 0.2);
    context.fillRect(at, line, width, bottom - line);
  } else if (isKept) {
    context.fillStyle = roles.convex;
    context.fillRect(at, tip, width, bottom - tip);
  } else if (wide >= 5) {
    Object.assign(context, {strokeStyle: roles.noise, lineWidth: 1.2 * roles.k});
    context.strokeRect(at + 0.5, tip + 0.5, Math.max(width - 1, 1), Math.max(bottom - tip - 0.5, 0));
  } else {
    context.fillStyle = withAlpha(roles.noise, 0.55);
    context.fillRect(at, tip, width, bottom - tip);
  }
}

/** Too many bars for pixels: two areas. */
function drawDenseSpectrum(panel, {context, x, y, bottom, low, values}, kept, line) {
  const {roles} = panel.app;
  const area = (from, to, floor, fill) => {
    if (to <= from) return;
    context.beginPath();
    context.moveTo(x.to(from + 0.5), floor);
    for (let i = from; i < to; i++) context.lineTo(x.to(i + 1), Math.min(floor, y.to(Math.max(values[i], low))));
    context.lineTo(x.to(to + 0.5), floor);
    context.closePath();
    context.fillStyle = fill;
    context.fill();
  };
  area(0, kept, bottom, withAlpha(roles.convex, line === null ? 1 : 0.22));
  if (line !== null) area(0, kept, line, roles.convex);
  area(kept, values.length, bottom, withAlpha(roles.noise, 0.45));
}

function drawSpectrumWords(panel, {context, x, bottom, left, right, values}, kept, line, cut) {
  const {app: {roles}, spec} = panel;
  const text = {fill: roles.ink, size: 0.8125 * roles.rem, weight: 600, font: roles.font, halo: roles.paper};
  const [keptWords, droppedWords] = spec.words ?? ['kept', 'dropped'];
  const n = values.length;
  if (line === null) {
    const y = bottom - 0.9 * roles.rem;
    if (cut - left > 5 * roles.rem) drawText(context, `${kept} ${keptWords}`, cut - 10 * roles.k, y, {...text, align: 'right'});
    if (right - cut > 6 * roles.rem) drawText(context, `${n - kept} ${droppedWords}`, cut + 10 * roles.k, y, text);
    return;
  }
  const now = formatDecay(panel.app.values[spec.variable]);
  const apart = x.to(2) - x.to(1) - 26 * roles.k > 5.5 * roles.rem; // few bars: there is room between them
  const [at, align] = n > 1 && apart ? [x.to(n - 0.5), 'center'] : [right - 30 * roles.k, 'right'];
  drawText(context, `${spec.symbol ?? 'β'} = ${now}`, at, line - 8 * roles.k, {...text, size: roles.rem, align});
  if (n - kept > 0.2 * n) drawText(context, `${n - kept} ${droppedWords}`, x.to(kept + (n - kept) / 2), bottom - 10 * roles.k, {...text, align: 'center'});
}

function writeCut(panel, now, kept, n) {
  const {canvas, spec} = panel;
  const words = spec.mode === 'threshold' ? `${spec.symbol ?? 'β'} ${formatDecay(now)}, ` : '';
  const [low, high] = cutRange(panel);
  const said = {'aria-valuenow': now, 'aria-valuemin': low, 'aria-valuemax': high,
    'aria-valuetext': `${words}${kept} of ${n} ${(spec.words ?? ['kept'])[0]}`};
  for (const [name, value] of Object.entries(said)) canvas.setAttribute(name, value);
}

/** Values that are solved, of which a cut takes the nearest, in ratio. */
function nearestStop(stops, value) {
  const far = (stop) => Math.abs(Math.log(Math.max(stop, 1e-300) / Math.max(value, 1e-300)));
  return stops.reduce((best, stop, i) => (far(stop) < far(stops[best]) ? i : best), 0);
}

function cutRange(panel) {
  const {spec} = panel;
  const values = Array.from(panel.arrays.values);
  if (spec.mode === 'threshold') return [spec.low ?? Math.min(...values), spec.high ?? Math.max(...values) * 1.2];
  return [spec.low ?? 1, spec.high ?? values.length];
}

function moveCut(app, panel, value, options) {
  const [low, high] = cutRange(panel);
  const inside = Math.max(low, Math.min(high, value));
  const {mode, stops} = panel.spec;
  let round = mode === 'threshold' ? Number(inside.toPrecision(3)) : Math.round(inside);
  if (stops) round = stops[nearestStop(stops, value)];
  const {live = 0} = panel.spec;
  if (round !== app.values[panel.spec.variable] || options?.final !== false) {
    setValue(app, panel.spec.variable, round, {live, ...options});
  }
}

function attachCut(app, panel) {
  const {canvas} = panel;
  const upright = () => panel.spec.mode === 'threshold';
  canvas.classList.add(upright() ? 'b-drag-y' : 'b-drag-x');
  const follow = (event, options) => {
    const box = canvas.getBoundingClientRect();
    const {x, y} = panel.place;
    const value = upright() ? y.of(event.clientY - box.top) : x.of(event.clientX - box.left) - 0.5;
    moveCut(app, panel, value, options);
  };
  canvas.onpointerdown = (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    panel.hot = true;
    follow(event, {final: false});
  };
  canvas.onpointermove = (event) => { if (panel.hot) follow(event, {final: false}); };
  canvas.onpointerup = (event) => {
    if (!panel.hot) return;
    panel.hot = false;
    follow(event);
  };
  canvas.onpointercancel = () => { panel.hot = false; };
  canvas.onkeydown = (event) => {
    const now = app.values[panel.spec.variable];
    const [low, high] = cutRange(panel);
    const steps = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 5, PageDown: -5};
    const step = steps[event.key] * (event.shiftKey ? 5 : 1);
    const ends = {Home: low, End: high};
    let value = ends[event.key];
    if (steps[event.key]) value = upright() ? now * 1.05 ** step : now + step;
    const {stops} = panel.spec;
    if (stops && value !== undefined) {
      const at = nearestStop(stops, now) + (stops.at(-1) > stops[0] ? step || 0 : -step || 0);
      const way = stops[Math.max(0, Math.min(stops.length - 1, at))];
      value = ends[event.key] ?? way;
    }
    if (value === undefined) return;
    event.preventDefault();
    moveCut(app, panel, value);
  };
}
