// Two to four results side by side: a cursor held over one marks the same place in all.

function shareAt(event, frame) {
  const box = frame.getBoundingClientRect();
  const clip = (value) => Math.max(0, Math.min(1, value));
  return [clip((event.clientX - box.left) / box.width), clip((event.clientY - box.top) / box.height)];
}

function buildPanel(app, panel, i) {
  const figure = document.createElement('figure');
  const caption = document.createElement('figcaption');
  const title = document.createElement('span');
  title.className = 'label';
  title.textContent = panel.title;
  const value = document.createElement('span');
  value.className = 'sub';
  caption.append(title, value);
  const frame = document.createElement('div');
  frame.className = panel.kind === 'image' ? 'frame' : 'frame plot';
  frame.tabIndex = 0;
  frame.setAttribute('role', 'application');
  frame.setAttribute('aria-label', `${app.meta.what} of ${panel.title}; arrows move the cursor`);
  const [main, over] = [document.createElement('canvas'), document.createElement('canvas')];
  main.className = 'main';
  over.className = 'over';
  frame.append(main, over);
  figure.append(caption, frame);
  const move = (event) => app.hold(shareAt(event, frame));
  frame.onpointermove = move;
  frame.onpointerdown = move;
  frame.onpointerleave = (event) => { if (event.pointerType === 'mouse') app.hold(null); };
  frame.onkeydown = (event) => app.step(event, i);
  return {...panel, figure, frame, main, over, value, cells: app.meta.arrays[`a${i}`],
    across: app.meta.arrays[`x${i}`]};
}

function drawImage(app, panel) {
  const table = panel.signed ? app.tables.diverging : panel.grey ? app.tables.grey : app.tables.sequential;
  drawHeat(panel.main, panel.cells, panel.w, panel.h, table, app.meta.low, app.meta.high);
  panel.main.style.aspectRatio = `${panel.w} / ${panel.h}`;
}

const EDGE = 10;

/** Where a value of a line lies on its canvas, the same scales for all panels. */
function scales(app, width, height) {
  const {low, high, left, right, logX, logY} = app.meta;
  const along = (value, from, to, log) => (log
    ? (Math.log10(Math.max(value, from)) - Math.log10(from)) / (Math.log10(to) - Math.log10(from) || 1)
    : (value - from) / (to - from || 1));
  return {
    x: (value) => EDGE + along(value, left, right, logX) * (width - 2 * EDGE),
    y: (value) => height - EDGE - along(value, low, high, logY) * (height - 2 * EDGE),
  };
}

function drawLine(app, panel) {
  const [context, width, height] = fitCanvas(panel.main);
  const {x, y} = scales(app, width, height);
  context.strokeStyle = app.roles.convex;
  context.lineWidth = 2 * app.roles.k;
  context.beginPath();
  panel.cells.forEach((value, i) => context.lineTo(x(panel.across[i]), y(value)));
  context.stroke();
  drawEnds(app, context, width, height);
  if (panel.cells.length < 40) {
    context.fillStyle = app.roles.convex;
    panel.cells.forEach((value, i) => {
      context.beginPath();
      context.arc(x(panel.across[i]), y(value), 2.5 * app.roles.k, 0, 7);
      context.fill();
    });
  }
}

/** The ends of both axes, where no line is. */
function drawEnds(app, context, width, height) {
  const {roles, meta} = app;
  const style = {fill: roles.ink2, size: 11 * roles.k, font: roles.font, halo: roles.surface};
  drawText(context, written(meta.high), 4, 4 + 11 * roles.k, style);
  drawText(context, written(meta.low), 4, height - 18 * roles.k, style);
  drawText(context, written(meta.left), 4, height - 4, style);
  drawText(context, `${written(meta.right)} ${meta.unit}`.trim(), width - 4, height - 4, {...style, align: 'right'});
}

/** The index that a share of the width or of the picture means in this panel. */
function placeOf(app, panel, share) {
  if (panel.kind === 'image') {
    return [Math.min(panel.h - 1, Math.floor(share[1] * panel.h)), Math.min(panel.w - 1, Math.floor(share[0] * panel.w))];
  }
  const width = panel.main.clientWidth;
  const {x} = scales(app, width, panel.main.clientHeight);
  let best = 0;
  panel.across.forEach((value, i) => {
    if (Math.abs(x(value) - share[0] * width) < Math.abs(x(panel.across[best]) - share[0] * width)) best = i;
  });
  return [best];
}

function written(value) {
  const size = Math.abs(value);
  if (size >= 0.001 && size < 1e5) return String(Number(value.toPrecision(4))).replace('-', '\u2212');
  return size === 0 ? '0' : value.toExponential(1).replace(/-/g, '\u2212');
}

function drawCursor(app, panel) {
  const [context, width, height] = fitCanvas(panel.over, panel.main.clientHeight);
  panel.value.textContent = '';
  if (!app.held) return '';
  const place = placeOf(app, panel, app.held);
  const value = panel.kind === 'image' ? panel.cells[place[0] * panel.w + place[1]] : panel.cells[place[0]];
  if (panel.kind === 'image') {
    const [cw, ch] = [width / panel.w, height / panel.h];
    const side = Math.max(8, cw, ch);
    drawHandRect(context, (place[1] + 0.5) * cw - side / 2, (place[0] + 0.5) * ch - side / 2, side, side, app.roles);
  } else {
    const {x, y} = scales(app, width, height);
    context.strokeStyle = app.roles.ink2;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x(panel.across[place[0]]), 0);
    context.lineTo(x(panel.across[place[0]]), height);
    context.stroke();
    drawHandRect(context, x(panel.across[place[0]]) - 4, y(value) - 4, 8, 8, app.roles);
  }
  panel.value.textContent = written(value);
  return `${panel.title}: ${written(value)}`;
}

function drawRows(root, meta) {
  const head = root.querySelector('thead tr');
  const th = (words, scope) => Object.assign(document.createElement('th'), {textContent: words, scope});
  head.replaceChildren(th(meta.rows.length ? 'What differs' : 'Nothing differs', 'col'),
    ...meta.panels.map((panel) => th(panel.title, 'col')));
  root.querySelector('tbody').replaceChildren(...meta.rows.map(({name, values}) => {
    const row = document.createElement('tr');
    row.append(th(name, 'row'), ...values.map((value) =>
      Object.assign(document.createElement('td'), {textContent: value})));
    return row;
  }));
}

function start(root, bytes) {
  const app = {meta: unpack(bytes), held: null};
  root.querySelector('.panels').style.setProperty('--count', app.meta.panels.length);
  app.hold = (share) => {
    app.held = share;
    const said = app.panels.map((panel) => drawCursor(app, panel)).filter(Boolean);
    root.querySelector('.said').textContent = said.length
      ? said.join('; ') : `${app.meta.what}. Hold the cursor over one: the same place is marked in all.`;
  };
  app.step = (event, i) => {
    const moves = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    if (event.key === 'Escape') app.hold(null);
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    const panel = app.panels[i];
    const [w, h] = panel.kind === 'image' ? [panel.w, panel.h] : [panel.cells.length, 1];
    const far = event.shiftKey ? 8 : 1;
    const [x, y] = app.held || [0.5, 0.5];
    const clip = (value) => Math.max(0, Math.min(0.999, value));
    app.hold([clip(x + (far * by[0]) / w), clip(y + (far * by[1]) / h)]);
  };
  app.panels = app.meta.panels.map((panel, i) => buildPanel(app, panel, i));
  root.querySelector('.panels').replaceChildren(...app.panels.map((panel) => panel.figure));
  drawRows(root, app.meta);
  return app;
}

export default function ({parentElement: root, data}) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  let app = root.__app;
  if (app?.meta.id !== readHeader(bytes).header.id) app = root.__app = start(root, bytes);
  const draw = () => {
    app.roles = readRoles(root);
    app.tables = {
      grey: colourTable([[0, 0, 0], [255, 255, 255]]),
      sequential: colourTable(app.roles.sequential),
      diverging: colourTable(app.roles.diverging),
    };
    app.panels.forEach((panel) => (panel.kind === 'image' ? drawImage : drawLine)(app, panel));
    app.hold(app.held);
  };
  draw();
  root.querySelector('.compare').dataset.ready = 'true';
  return watchLook(root, draw);
}
