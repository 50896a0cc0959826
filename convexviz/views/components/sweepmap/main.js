// The cells of a sweep as they finish: a map over two axes, parallel coordinates over more.

function short(value) {
  if (typeof value !== 'number') return String(value);
  if (value === 0 || (Math.abs(value) >= 0.001 && Math.abs(value) < 1e5)) return String(Number(value.toPrecision(3)));
  return value.toExponential(1).replace('-', '\u2212');
}

function shareOf(app, value) {
  const {low, high, log} = app.data;
  const place = (x) => (log ? Math.log10(Math.max(x, 1e-300)) : x);
  return high === low ? 0.5 : (place(value) - place(low)) / (place(high) - place(low));
}

function wordsOf(app, i) {
  const {axes, cells, measure} = app.data;
  const cell = cells[i];
  const at = axes.map((axis, a) => `${axis.label} ${short(cell.at[a])}`).join(', ');
  if (cell.state === 'failed') return `${at}: failed, ${cell.why}`;
  if (cell.value === null || cell.value === undefined) return `${at}: not computed yet`;
  return `${at}: ${measure} ${short(cell.value)}`;
}

/** Where the map lies on the canvas, and how large a cell is. */
function frameOf(app, width, height) {
  const k = app.roles.k;
  const [left, bottom] = [(app.data.axes[1] ? 64 : 12) * k, 40 * k];
  const [nx, ny] = [app.data.axes[0].values.length, app.data.axes[1]?.values.length || 1];
  return {left, top: 4, w: (width - left - 4) / nx, h: (height - bottom - 4) / ny, nx, ny};
}

function drawMap(app, context, width, height) {
  const {roles, data} = app;
  const box = frameOf(app, width, height);
  const style = {fill: roles.ink2, size: 12 * roles.k, font: roles.font};
  data.cells.forEach((cell, i) => {
    const [x, y] = [box.left + cell.place[0] * box.w, box.top + (box.ny - 1 - cell.place[1]) * box.h];
    const [w, h] = [Math.max(1, box.w - 2), Math.max(1, box.h - 2)];
    if (cell.value !== null && cell.value !== undefined) {
      const [r, g, b] = rampAt(roles.sequential, shareOf(app, cell.value));
      context.fillStyle = `rgb(${r},${g},${b})`;
      context.fillRect(x, y, w, h);
      if (box.w > 46 * roles.k && box.h > 20 * roles.k) {
        const dark = 0.3 * r + 0.59 * g + 0.11 * b < 128;
        drawText(context, short(cell.value), x + w / 2, y + h / 2,
          {...style, fill: dark ? '#fff' : '#1A1C21', align: 'center', base: 'middle'});
      }
    } else {
      context.strokeStyle = roles.noise;
      context.setLineDash(cell.state === 'failed' ? [] : [2, 3]);
      context.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
      context.setLineDash([]);
      if (cell.state === 'failed') {
        drawText(context, '\u00d7', x + w / 2, y + h / 2, {...style, size: 16 * roles.k, align: 'center', base: 'middle'});
      }
    }
    if (i === app.held || i === data.picked) drawHandRect(context, x, y, w, h, roles);
  });
  drawTicks(app, context, box, height, style);
}

function drawTicks(app, context, box, height, style) {
  const [first, second] = app.data.axes;
  const each = Math.ceil((44 * app.roles.k) / box.w);
  first.values.forEach((value, i) => {
    if (i % each) return;
    drawText(context, short(value), box.left + (i + 0.5) * box.w, height - 26 * app.roles.k, {...style, align: 'center'});
  });
  drawText(context, first.label, box.left + (box.nx * box.w) / 2, height - 6 * app.roles.k,
    {...style, fill: app.roles.ink, weight: 600, align: 'center'});
  if (!second) return;
  const step = Math.ceil((16 * app.roles.k) / box.h);
  second.values.forEach((value, i) => {
    if (i % step) return;
    const y = box.top + (box.ny - 0.5 - i) * box.h;
    drawText(context, short(value), box.left - 8, y, {...style, align: 'right', base: 'middle'});
  });
}

/** Each axis a vertical line, the measure the last one; each finished cell a line across. */
function drawParallel(app, context, width, height) {
  const {roles, data} = app;
  const k = roles.k;
  const [top, bottom, edge] = [20 * k, height - 44 * k, 40 * k];
  const n = data.axes.length + 1;
  const x = (a) => edge + (a * (width - 2 * edge)) / (n - 1);
  const share = (axis, value) => {
    const i = axis.values.indexOf(value);
    if (typeof value !== 'number') return axis.values.length > 1 ? i / (axis.values.length - 1) : 0.5;
    const [low, high] = [Math.min(...axis.values), Math.max(...axis.values)];
    if (high === low) return 0.5;
    return low > 0 && high / low > 50 ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  };
  const y = (t) => bottom - t * (bottom - top);
  app.lines = data.cells.map((cell) => {
    if (cell.value === null || cell.value === undefined) return null;
    return [...data.axes.map((axis, a) => [x(a), y(share(axis, cell.at[a]))]), [x(n - 1), y(shareOf(app, cell.value))]];
  });
  app.lines.forEach((line, i) => {
    if (!line) return;
    const on = i === app.held || i === data.picked;
    const [r, g, b] = rampAt(roles.sequential, 0.35 + 0.65 * shareOf(app, data.cells[i].value));
    context.strokeStyle = on ? roles.hand : `rgba(${r},${g},${b},.75)`;
    context.lineWidth = (on ? 3 : 1.25) * k;
    context.beginPath();
    line.forEach(([px, py]) => context.lineTo(px, py));
    context.stroke();
  });
  const style = {fill: roles.ink2, size: 12 * k, font: roles.font, align: 'center', halo: roles.paper};
  [...data.axes, {label: data.measure, values: [data.low, data.high]}].forEach((axis, a) => {
    context.strokeStyle = roles.ink2;
    context.lineWidth = 1;
    context.strokeRect(x(a), top, 0, bottom - top);
    const numbers = axis.values.every((value) => typeof value === 'number');
    const ends = numbers ? [Math.min(...axis.values), Math.max(...axis.values)] : [axis.values[0], axis.values.at(-1)];
    drawText(context, short(ends[1]), x(a), top - 6 * k, style);
    drawText(context, short(ends[0]), x(a), bottom + 16 * k, style);
    drawText(context, axis.label, x(a), bottom + 34 * k, {...style, fill: roles.ink, weight: 600});
  });
}

function draw(app) {
  const canvas = app.root.querySelector('canvas');
  const [context, width, height] = fitCanvas(canvas);
  (app.data.kind === 'map' ? drawMap : drawParallel)(app, context, width, height);
  const i = app.held ?? app.data.picked;
  app.root.querySelector('.said').textContent = i === null || i === undefined ? app.data.hint : wordsOf(app, i);
}

function cellAt(app, event) {
  const canvas = app.root.querySelector('canvas');
  const box = canvas.getBoundingClientRect();
  const [px, py] = [event.clientX - box.left, event.clientY - box.top];
  if (app.data.kind === 'map') {
    const frame = frameOf(app, box.width, box.height);
    const [cx, cy] = [Math.floor((px - frame.left) / frame.w), frame.ny - 1 - Math.floor((py - frame.top) / frame.h)];
    const found = app.data.cells.findIndex((cell) => cell.place[0] === cx && cell.place[1] === cy);
    return found < 0 ? null : found;
  }
  let [best, near] = [null, 24];
  (app.lines || []).forEach((line, i) => {
    for (let a = 1; line && a < line.length; a++) {
      const [[x0, y0], [x1, y1]] = [line[a - 1], line[a]];
      if (px < x0 || px > x1) continue;
      const distance = Math.abs(y0 + ((px - x0) / (x1 - x0)) * (y1 - y0) - py);
      if (distance < near) [best, near] = [i, distance];
    }
  });
  return best;
}

function step(app, event) {
  const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
  const from = app.held ?? app.data.picked ?? 0;
  if (event.key === 'Escape') app.held = null;
  else if (event.key === 'Enter' || event.key === ' ') app.pick(from);
  else if (moves[event.key]) {
    const [dx, dy] = moves[event.key];
    if (app.data.kind === 'map') {
      const [x, y] = app.data.cells[from].place;
      const found = app.data.cells.findIndex((cell) => cell.place[0] === x + dx && cell.place[1] === y + dy);
      if (found >= 0) app.held = found;
    } else app.held = Math.max(0, Math.min(app.data.cells.length - 1, from + dx + dy));
  } else return;
  event.preventDefault();
  draw(app);
}

export default function ({parentElement: root, data, setTriggerValue}) {
  const app = root.__app || (root.__app = {held: null});
  Object.assign(app, {root, data, roles: readRoles(root), pick: (i) => setTriggerValue('cell', i)});
  if (app.held >= data.cells.length) app.held = null;
  root.querySelector('.label').textContent = data.title;
  root.querySelector('.sub').textContent = data.said;
  const hold = root.querySelector('.hold');
  hold.setAttribute('aria-label', `${data.title}; arrows move, Enter opens a cell`);
  hold.onpointermove = (event) => { app.held = cellAt(app, event); draw(app); };
  hold.onpointerleave = () => { app.held = null; draw(app); };
  hold.onclick = (event) => { const i = cellAt(app, event); if (i !== null) app.pick(i); };
  hold.onkeydown = (event) => step(app, event);
  const redraw = () => { app.roles = readRoles(root); draw(app); };
  redraw();
  root.querySelector('.sweepmap').dataset.ready = 'true';
  return watchLook(root, redraw);
}
