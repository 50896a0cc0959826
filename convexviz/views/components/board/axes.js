// Axes, ticks and lines that the panels with scales share.

/** A scale from [low, high] to [from, to] in pixels, logarithmic where `log`. */
function makeScale(low, high, from, to, log = false) {
  const turn = log ? (value) => Math.log10(Math.max(value, 1e-300)) : (value) => value;
  const back = log ? (value) => 10 ** value : (value) => value;
  const [a, b] = [turn(low), turn(high)];
  const span = b - a || 1;
  return {
    to: (value) => from + (to - from) * (turn(value) - a) / span,
    of: (pixel) => back(a + span * (pixel - from) / (to - from)),
    low, high, log,
  };
}

/** Round values for an axis: about `count`, and powers of ten where it is logarithmic. */
function ticksOf({low, high, log}, count = 4) {
  if (log) {
    const [a, b] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const step = Math.max(1, Math.ceil((b - a + 1) / (count + 1)));
    const found = [];
    for (let e = a; e <= b; e += step) found.push(10 ** e);
    if (found.length > 1) return found;
    return [1, 2, 5].flatMap((m) => [m * 10 ** (a - 1), m * 10 ** a, m * 10 ** b])
      .filter((v, i, all) => v >= low && v <= high && all.indexOf(v) === i).sort((x, y) => x - y);
  }
  const rough = (high - low) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough) ?? unit;
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + 1e-9 * step; v += step) {
    found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  }
  return found;
}

function formatTick(value, unit = '') {
  const size = Math.abs(value);
  if (unit === '%') return `${Math.round(100 * value)} %`;
  if (size !== 0 && (size < 0.01 || size >= 1e5)) {
    const [mantissa, exponent] = value.toExponential(0).split('e');
    return mantissa === '1' ? `1e${Number(exponent)}` : `${mantissa}e${Number(exponent)}`;
  }
  return String(Number(value.toPrecision(4))).replace('-', '\u2212');
}

/** Two hairlines with ticks; returns nothing, draws all. */
function drawAxes(context, roles, {x, y, left, bottom, right, top}, {xUnit, yUnit, xLabel, xTicks} = {}) {
  const small = 0.75 * roles.rem;
  const text = {fill: roles.ink2, size: small, font: roles.font};
  Object.assign(context, {strokeStyle: roles.ink2, lineWidth: 1});
  context.beginPath();
  context.moveTo(left + 0.5, top);
  context.lineTo(left + 0.5, bottom + 0.5);
  context.lineTo(right, bottom + 0.5);
  context.stroke();
  for (const v of ticksOf(y)) {
    const at = y.to(v);
    context.strokeRect(left - 3.5, Math.round(at) + 0.5, 4, 0);
    drawText(context, formatTick(v, yUnit), left - 7, at, {...text, align: 'right', base: 'middle'});
  }
  for (const v of xTicks ?? ticksOf(x, right - left < 300 ? 3 : 5)) {
    const at = x.to(v);
    context.strokeRect(Math.round(at) + 0.5, bottom + 0.5, 0, 4);
    const edge = at > right - 0.8 * small ? 'right' : 'center';
    drawText(context, formatTick(v, xUnit), at, bottom + small + 6, {...text, align: edge});
  }
  if (xLabel) drawText(context, xLabel, right, bottom + 2 * small + 12, {...text, align: 'right'});
}

/** A polyline through pixels; what is not finite breaks it. */
function drawLine(context, points, {colour, width, dash = []}) {
  Object.assign(context, {strokeStyle: colour, lineWidth: width, lineJoin: 'round', lineCap: 'round'});
  context.setLineDash(dash);
  context.beginPath();
  let pen = false;
  for (const [px, py] of points) {
    if (!Number.isFinite(px) || !Number.isFinite(py)) pen = false;
    else if (pen) context.lineTo(px, py);
    else {
      context.moveTo(px, py);
      pen = true;
    }
  }
  context.stroke();
  context.setLineDash([]);
}

/** The round amber handle of something that is dragged, with arrows along its way. */
function drawHandle(context, px, py, roles, {upright = true, hot = false} = {}) {
  const {k} = roles;
  const r = (hot ? 11 : 9) * k;
  Object.assign(context, {fillStyle: roles.hand, strokeStyle: roles.dark ? '#101216' : roles.ink, lineWidth: 2 * k});
  context.beginPath();
  context.arc(px, py, r, 0, 7);
  context.fill();
  context.stroke();
  context.lineWidth = 1.6 * k;
  context.beginPath();
  for (const sign of [-1, 1]) {
    const [a, b, c] = [[-3.2, 1.6], [0, 5], [3.2, 1.6]].map(([across, along]) => (upright
      ? [px + across * k, py + sign * along * k] : [px + sign * along * k, py + across * k]));
    context.moveTo(...a);
    context.lineTo(...b);
    context.lineTo(...c);
  }
  context.stroke();
}

/** A role's colour, a class's colour (`class 2`), or a colour written out. */
function colourOf(roles, name) {
  if (name?.startsWith?.('class ')) return classColour(roles, Number(name.slice(6)));
  return roles[name] ?? name ?? roles.ink;
}

const CLASS_COLOURS = {
  light: ['#7049AE', '#8A6200', '#4F6B7A', '#A3446B', '#2F7D4F'],
  dark: ['#BDA2F2', '#D8B65A', '#A3BCC9', '#F0A0C0', '#8FD6A6'],
};

/** Classes have hues that mean nothing else, and always a shape as well. */
function classColour(roles, index) {
  const colours = CLASS_COLOURS[roles.dark ? 'dark' : 'light'];
  return colours[index % colours.length];
}

/** The mark of a class: disc, triangle, square, diamond, cross. */
function drawShape(context, index, x, y, r) {
  context.beginPath();
  const turn = [null, [3, -90, 1.3], [4, -45, 1.25], [4, 0, 1.3], [5, -90, 1.2]][index % 5];
  if (!turn) context.arc(x, y, r, 0, 7);
  else {
    const [corners, start, size] = turn;
    for (let i = 0; i < corners; i++) {
      const angle = (start + i * 360 / corners) * Math.PI / 180;
      context.lineTo(x + size * r * Math.cos(angle), y + size * r * Math.sin(angle));
    }
    context.closePath();
  }
}

function makeCanvas(panel, attributes = {}) {
  const canvas = document.createElement('canvas');
  for (const [name, value] of Object.entries(attributes)) canvas.setAttribute(name, value);
  panel.box.append(canvas);
  return canvas;
}

/** Height on screen of a canvas, in rem, so that a lecture makes it larger. */
function sizeCanvas(canvas, rem) {
  canvas.style.height = `${rem}rem`;
}
