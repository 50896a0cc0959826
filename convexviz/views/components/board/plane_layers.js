// What a lab draws into a plane, in order: regions, wedges, arrows, curves, outlines, marks.

/** The layers that hold now: those of a `frames` layer follow its variable. */
function layersNow(panel, layers = panel.spec.layers ?? []) {
  return layers.flatMap((layer) => {
    if (layer.type !== 'frames') return [layer];
    return layersNow(panel, layer.layers[frameOf(panel.app, layer, layer.layers.length)] ?? []);
  });
}

function drawLayer(context, panel, layer, scale) {
  const kinds = {
    raster: drawRaster, fan: drawFan, arrows: drawArrows, curve: drawCurve, ellipse: drawEllipse,
    outline: drawOutline, points: drawMarks, segments: drawSegments, axes: drawOrigin,
  };
  kinds[layer.type]?.(context, panel, layer, scale);
}

/** Regions over the extent: `classes` by hue, else a signed array, painted smoothly. */
function drawRaster(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const cells = panel.arrays[layer.array];
  if (!cells) return;
  const tile = panel.tile ??= document.createElement('canvas');
  const alpha = layer.alpha ?? (roles.dark ? 0.26 : 0.17);
  Object.assign(tile, {width: layer.w, height: layer.h});
  const picture = new ImageData(layer.w, layer.h);
  const out = new Uint32Array(picture.data.buffer);
  if (layer.classes) {
    const colours = Array.from({length: layer.classes}, (_, i) => (
      packedColour(rgbOf(classColour(roles, i)), 255 * alpha)));
    for (let i = 0; i < out.length; i++) out[i] = colours[cells[i]];
  } else {
    const magnitudes = layer.scale === 'sequential';
    const table = colourTable(magnitudes ? roles.sequential : roles.diverging);
    const top = layer.range ?? 1;
    for (let i = 0; i < out.length; i++) {
      const share = magnitudes ? cells[i] / top : 0.5 * (1 + cells[i] / top);
      out[i] = table[Math.max(0, Math.min(255, Math.round(255 * share)))];
    }
  }
  tile.getContext('2d').putImageData(picture, 0, 0);
  const [x0, x1, y0, y1] = layer.extent ?? scale.extent;
  const [left, top] = scale.to([x0, y1]);
  const [right, bottom] = scale.to([x1, y0]);
  context.imageSmoothingEnabled = !layer.classes && !layer.crisp;
  context.globalAlpha = layer.classes ? 1 : layer.alpha ?? 0.6;
  context.drawImage(tile, left, top, right - left, bottom - top);
  context.globalAlpha = 1;
}

function wedgeEnds(angles, index) {
  const next = angles[index + 1] ?? angles[0] + 2 * Math.PI;
  return [angles[index], next];
}

/** Which wedge of a fan (angles in [0, 2 pi), increasing) a direction lies in. */
function wedgeAt({angles}, x, y) {
  const angle = (Math.atan2(y, x) + 2 * Math.PI) % (2 * Math.PI);
  let found = angles.length - 1;
  for (let i = 0; i < angles.length; i++) if (angles[i] <= angle) found = i;
  return angle < angles[0] ? angles.length - 1 : found;
}

/** Wedges around the origin; `shade` in [0, 1] darkens, `on` tints those that hold a neuron. */
function drawFan(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const [cx, cy] = scale.to([0, 0]);
  const far = 2 * (panel.width + panel.height);
  const wedge = (i, fill) => {
    const [a, b] = wedgeEnds(layer.angles, i);
    context.beginPath();
    context.moveTo(cx, cy);
    context.arc(cx, cy, far, -b, -a);
    context.closePath();
    context.fillStyle = fill;
    context.fill();
  };
  const depth = layer.depth ?? 1;
  layer.angles.forEach((_, i) => {
    if (i === panel.hover) wedge(i, withAlpha(roles.hand, roles.dark ? 0.34 : 0.42));
    else wedge(i, withAlpha(roles.ink, depth * (0.015 + (roles.dark ? 0.12 : 0.09) * (layer.shade?.[i] ?? 0))));
    if (layer.on?.includes(i) && i !== panel.hover) wedge(i, withAlpha(roles.convex, roles.dark ? 0.24 : 0.15));
    if (layer.won === i) wedge(i, withAlpha(roles.bound, roles.dark ? 0.34 : 0.24));
  });
  Object.assign(context, {strokeStyle: roles.dark ? withAlpha(roles.paper, 0.9) : roles.surface, lineWidth: 1.5 * roles.k});
  for (const angle of layer.angles) {
    context.beginPath();
    context.moveTo(cx, cy);
    context.lineTo(cx + Math.cos(angle) * far, cy - Math.sin(angle) * far);
    context.stroke();
  }
}

function drawArrow(context, [x0, y0], [x1, y1], colour, width, head, rim = null) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1) return;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const back = Math.min(head, 0.7 * length);
  const strokes = rim ? [[rim, width + 3], [colour, width]] : [[colour, width]];
  for (const [stroke, wide] of strokes) {
    Object.assign(context, {strokeStyle: stroke, lineWidth: wide, lineCap: 'butt'});
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1 - 0.8 * back * ux, y1 - 0.8 * back * uy);
    context.stroke();
  }
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - back * ux + 0.42 * back * uy, y1 - back * uy - 0.42 * back * ux);
  context.lineTo(x1 - back * ux - 0.42 * back * uy, y1 - back * uy + 0.42 * back * ux);
  context.closePath();
  if (rim) {
    Object.assign(context, {strokeStyle: rim, lineWidth: 3, lineJoin: 'round'});
    context.stroke();
  }
  context.fill();
}

/** Arrows [x, y] from the origin, or [x0, y0, x1, y1]; `roles` names the colour of each. */
function drawArrows(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const width = (layer.width ?? 4) * roles.k;
  layer.arrows.forEach((arrow, i) => {
    const [from, to] = arrow.length === 4 ? [arrow.slice(0, 2), arrow.slice(2)] : [[0, 0], arrow];
    const colour = colourOf(roles, layer.colours?.[i] ?? layer.role);
    const rim = layer.rim ? roles.surface : null;
    drawArrow(context, scale.to(from), scale.to(to), colour, width, 3.2 * width, rim);
  });
}

/** A polyline from the array `array` (x, y in turn) or from `points`; closed, dashed or filled. */
function drawCurve(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const pixels = pairsOf(panel, layer).map((point) => scale.to(point));
  if (!pixels.length) return;
  if (layer.closed) pixels.push(pixels[0]);
  const colour = colourOf(roles, layer.role);
  if (layer.fill) {
    context.beginPath();
    pixels.forEach((pixel) => context.lineTo(...pixel));
    context.closePath();
    context.fillStyle = withAlpha(colour, layer.fill);
    context.fill();
  }
  drawLine(context, pixels, {colour, width: (layer.width ?? 2.5) * roles.k, dash: layer.dashed ? [7 * roles.k, 5 * roles.k] : []});
}

function pairsOf(panel, {array, points}) {
  if (points) return points;
  const flat = panel.arrays[array] ?? [];
  return Array.from({length: flat.length / 2}, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

/** {x : (x - c)' M^-1 (x - c) = 1} for M = [[a, b], [b, d]]. */
function drawEllipse(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const [a, b, d] = layer.matrix;
  const turn = 0.5 * Math.atan2(2 * b, a - d);
  const middle = (a + d) / 2;
  const apart = Math.hypot((a - d) / 2, b);
  const [long, short] = [middle + apart, middle - apart].map((v) => Math.sqrt(Math.max(v, 0)));
  const [cx, cy] = scale.to(layer.centre ?? [0, 0]);
  context.beginPath();
  context.ellipse(cx, cy, Math.max(long * scale.zoom, 0.5), Math.max(short * scale.zoom, 0.5), -turn, 0, 7);
  const colour = colourOf(roles, layer.role);
  if (layer.fill) {
    context.fillStyle = withAlpha(colour, layer.fill);
    context.fill();
  }
  Object.assign(context, {strokeStyle: colour, lineWidth: (layer.width ?? 2.5) * roles.k});
  context.setLineDash(layer.dashed ? [7 * roles.k, 5 * roles.k] : []);
  context.stroke();
  context.setLineDash([]);
}

/** A polygon's outline with the tube of all that lies within `tube` of it. */
function drawOutline(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  if (layer.tube) {
    const pixels = pairsOf(panel, layer).map((point) => scale.to(point));
    context.beginPath();
    pixels.forEach((pixel) => context.lineTo(...pixel));
    context.closePath();
    Object.assign(context, {lineJoin: 'round', lineWidth: 2 * layer.tube * scale.zoom,
      strokeStyle: withAlpha(colourOf(roles, layer.tubeRole ?? 'bound'), roles.dark ? 0.25 : 0.18)});
    context.stroke();
  }
  drawCurve(context, panel, {...layer, closed: true}, scale);
}

/** Marks of a second set of points: `disc`, `ring`, `cross`, `plus`, or the class of each. */
function drawMarks(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const size = (layer.size ?? 3.5) * roles.k;
  for (const point of pairsOf(panel, layer)) {
    const [x, y] = scale.to(point);
    drawPlaneMark(context, layer.form ?? 'disc', x, y, size, colourOf(roles, layer.role), roles, layer.alpha);
  }
}

function drawPlaneMark(context, form, x, y, r, colour, roles, alpha = 0.85) {
  Object.assign(context, {fillStyle: withAlpha(colour, alpha), strokeStyle: colour, lineWidth: 1.4 * roles.k});
  if (form === 'disc' || form === 'ring') {
    context.beginPath();
    context.arc(x, y, r, 0, 7);
    if (form === 'disc') context.fill();
    else context.stroke();
    return;
  }
  if (form.startsWith('class ')) {
    drawShape(context, Number(form.slice(6)), x, y, r);
    context.fill();
    return;
  }
  const turn = form === 'cross' ? Math.PI / 4 : 0;
  context.lineWidth = 3 * roles.k;
  context.beginPath();
  for (const angle of [turn, turn + Math.PI / 2]) {
    context.moveTo(x - 1.6 * r * Math.cos(angle), y - 1.6 * r * Math.sin(angle));
    context.lineTo(x + 1.6 * r * Math.cos(angle), y + 1.6 * r * Math.sin(angle));
  }
  context.stroke();
}

/** Segments [x0, y0, x1, y1], as from a noise point to where it went. */
function drawSegments(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  const flat = panel.arrays[layer.array] ?? layer.segments.flat();
  Object.assign(context, {strokeStyle: withAlpha(colourOf(roles, layer.role), layer.alpha ?? 0.35), lineWidth: (layer.width ?? 1) * roles.k});
  context.beginPath();
  for (let i = 0; i + 3 < flat.length; i += 4) {
    context.moveTo(...scale.to([flat[i], flat[i + 1]]));
    context.lineTo(...scale.to([flat[i + 2], flat[i + 3]]));
  }
  context.stroke();
}

/** Hairlines through the origin. */
function drawOrigin(context, panel, _layer, scale) {
  const [x, y] = scale.to([0, 0]);
  Object.assign(context, {strokeStyle: panel.app.roles.line, lineWidth: 1});
  context.beginPath();
  context.moveTo(0, Math.round(y) + 0.5);
  context.lineTo(panel.width, Math.round(y) + 0.5);
  context.moveTo(Math.round(x) + 0.5, 0);
  context.lineTo(Math.round(x) + 0.5, panel.height);
  context.stroke();
}

function drawPlaneLabels(context, panel, layer, scale) {
  const {app: {roles}} = panel;
  for (const {at, words, role, align} of layer.labels) {
    const [x, y] = scale.to(at);
    drawText(context, words, x, y, {
      fill: colourOf(roles, role), size: 0.8125 * roles.rem, weight: 600, align: align ?? 'center',
      base: 'middle', font: roles.font, halo: roles.surface,
    });
  }
}
