// The plane: points that are moved, added and removed, over layers that a lab draws.

/** Pixels of data coordinates and back, with one scale for both axes unless it may stretch. */
function planeScale(panel) {
  const {extent, stretch} = panel.spec;
  const [x0, x1, y0, y1] = extent;
  const [width, height] = [panel.width, panel.height];
  if (stretch) {
    const [a, b] = [width / (x1 - x0), height / (y1 - y0)];
    return {
      zoom: a, extent,
      to: ([x, y]) => [(x - x0) * a, (y1 - y) * b],
      of: (px, py) => [x0 + px / a, y1 - py / b],
    };
  }
  const zoom = Math.min(width / (x1 - x0), height / (y1 - y0));
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  return {
    zoom, extent,
    to: ([x, y]) => [width / 2 + (x - cx) * zoom, height / 2 - (y - cy) * zoom],
    of: (px, py) => [cx + (px - width / 2) / zoom, cy - (py - height / 2) / zoom],
  };
}

function planePoints(panel) {
  return panel.app.values[panel.spec.points?.variable] ?? [];
}

function planePanel(app, panel) {
  const frame = document.createElement('div');
  frame.className = 'b-frame';
  panel.box.append(frame);
  const canvas = document.createElement('canvas');
  const {points} = panel.spec;
  for (const [name, value] of Object.entries({
    tabindex: 0, role: 'application', 'aria-roledescription': 'plane of points',
    'aria-label': points?.editable
      ? `${panel.spec.title}. N and P choose a point, arrow keys move it, Shift moves it farther, `
        + 'Enter adds one, Delete removes it, digits set its class, Escape lets go.'
      : panel.spec.alt ?? panel.spec.title,
  })) canvas.setAttribute(name, value);
  frame.append(canvas);
  Object.assign(panel, {canvas, frame, held: -1, hover: null, chosenClass: 0});
  if (points?.editable) buildPlaneTools(panel);
  buildPlaneKey(panel);
  const said = document.createElement('p');
  Object.assign(said, {className: 'unseen'});
  said.setAttribute('role', 'status');
  panel.box.append(said);
  panel.said = said;
  attachPlane(app, panel);
  return {
    watch: () => [panel.spec.points?.variable, ...(panel.spec.watch ?? [])].filter(Boolean),
    draw: () => drawPlane(panel),
    refill: () => refillKey(panel),
  };
}

/** Below the plane: the class of the point that is held or added next, and Remove. */
function buildPlaneTools(panel) {
  const row = document.createElement('div');
  row.className = 'b-tools';
  const {labels = [], classes = 1} = panel.spec.points;
  panel.classButtons = Array.from({length: classes > 1 ? classes : 0}, (_, i) => {
    const button = document.createElement('button');
    Object.assign(button, {type: 'button', onclick: () => setPlaneClass(panel, i)});
    const mark = document.createElement('canvas');
    mark.setAttribute('aria-hidden', 'true');
    button.append(mark, labels[i] ?? `class ${i + 1}`);
    row.append(button);
    return button;
  });
  const remove = document.createElement('button');
  Object.assign(remove, {type: 'button', textContent: 'Remove', onclick: () => removePoint(panel)});
  row.append(remove);
  panel.removeButton = remove;
  panel.box.append(row);
}

function writePlaneTools(panel) {
  const points = planePoints(panel);
  const {roles} = panel.app;
  const now = points[panel.held]?.[2] ?? panel.chosenClass;
  panel.classButtons?.forEach((button, i) => {
    button.setAttribute('aria-pressed', String(i === now));
    const mark = button.querySelector('canvas');
    const [context, w, h] = fitCanvas(mark, mark.clientHeight);
    drawShape(context, i, w / 2, h / 2, 5 * roles.k);
    context.fillStyle = classColour(roles, i);
    context.fill();
  });
  if (panel.removeButton) {
    panel.removeButton.disabled = panel.held < 0 || points.length <= (panel.spec.points.fewest ?? 1);
  }
}

/** New contents may have another legend. */
function refillKey(panel) {
  if (panel.written === JSON.stringify(panel.spec.key ?? [])) return;
  panel.box.querySelector('.b-key')?.remove();
  panel.keys = null;
  buildPlaneKey(panel);
}

/** The legend: what each kind of mark means. */
function buildPlaneKey(panel) {
  panel.written = JSON.stringify(panel.spec.key ?? []);
  if (!panel.spec.key?.length) return;
  const list = document.createElement('div');
  list.className = 'b-key sub';
  panel.keys = panel.spec.key.map(([form, role, words]) => {
    const item = document.createElement('span');
    const mark = document.createElement('canvas');
    mark.setAttribute('aria-hidden', 'true');
    item.append(mark, words);
    list.append(item);
    return {mark, form, role};
  });
  panel.box.append(list);
}

function writePlaneKey(panel) {
  const {roles} = panel.app;
  for (const {mark, form, role} of panel.keys ?? []) {
    const [context, w, h] = fitCanvas(mark, mark.clientHeight);
    const colour = colourOf(roles, role);
    if (form === 'arrow') drawArrow(context, [1, h / 2], [w - 1, h / 2], colour, 3 * roles.k, 9 * roles.k);
    else if (form === 'area') {
      context.fillStyle = withAlpha(colour, 0.3);
      context.fillRect(1, 2, w - 2, h - 4);
    } else if (form === 'line' || form === 'dash') {
      drawLine(context, [[1, h / 2], [w - 1, h / 2]], {colour, width: 2.5 * roles.k, dash: form === 'dash' ? [4, 3] : []});
    } else drawPlaneMark(context, form, w / 2, h / 2, 4.5 * roles.k, colour, roles);
  }
}

function drawPlane(panel) {
  const {app: {roles}, spec} = panel;
  const [x0, x1, y0, y1] = spec.extent;
  const width = panel.frame.clientWidth;
  const tallest = (spec.tallest ?? 36) * roles.rem;
  const height = spec.stretch ? Math.min(tallest, 0.8 * width)
    : Math.min(width * (y1 - y0) / (x1 - x0), tallest);
  panel.canvas.style.height = `${height}px`;
  const [context, w, h] = fitCanvas(panel.canvas, height);
  Object.assign(panel, {width: w, height: h});
  const scale = planeScale(panel);
  panel.scale = scale;
  for (const layer of layersNow(panel)) drawLayer(context, panel, layer, scale);
  drawPlanePoints(context, panel, scale);
  for (const layer of layersNow(panel).filter((each) => each.type === 'labels')) {
    drawPlaneLabels(context, panel, layer, scale);
  }
  writePlaneTools(panel);
  writePlaneKey(panel);
}

function drawPlanePoints(context, panel, scale) {
  const {app: {roles}, spec: {points}} = panel;
  if (!points) return;
  const size = (points.size ?? 7) * roles.k;
  planePoints(panel).forEach((point, i) => {
    const [x, y] = scale.to(point);
    const lit = i === panel.held || panel.lit?.(point);
    if (lit) {
      drawShape(context, 0, x, y, size + (i === panel.held ? 7 : 5) * roles.k);
      Object.assign(context, {fillStyle: roles.hand, strokeStyle: withAlpha(roles.ink, 0.75), lineWidth: roles.k});
      context.fill();
      if (i === panel.held) context.stroke();
    }
    drawShape(context, point[2] ?? 0, x, y, size);
    context.fillStyle = (points.classes ?? 1) > 1 ? classColour(roles, point[2] ?? 0) : roles.data;
    if (points.open) context.fillStyle = roles.surface;
    context.fill();
    Object.assign(context, {strokeStyle: points.open ? roles.data : roles.surface, lineWidth: 2 * roles.k});
    context.stroke();
  });
}
