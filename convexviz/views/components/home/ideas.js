// One idea a lab, moving: a spectrum that is whitened and cut, one that is thresholded, cells.

const SIZES = [1, 0.82, 0.66, 0.55, 0.44, 0.36, 0.29, 0.23, 0.18, 0.14, 0.11, 0.08];

/** 0 to 1 and gently, between two moments. */
function ease(seconds, from, to) {
  const t = Math.max(0, Math.min(1, (seconds - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

function barPlaces(width, height) {
  const [left, right, bottom] = [0.1 * width, 0.9 * width, 0.84 * height];
  const step = (right - left) / SIZES.length;
  return {left, right, bottom, step, wide: 0.72 * step, tall: 0.66 * height};
}

/** Directions of falling size become equal, and then the small ones are cut away. */
function whiteningPicture() {
  return (canvas, seconds, roles) => {
    const [context, width, height] = fitCanvas(canvas);
    const {left, bottom, step, wide, tall} = barPlaces(width, height);
    const now = (seconds + 2.5) % 12;
    const equal = ease(now, 2, 4.5) - ease(now, 10.5, 12);
    const cut = ease(now, 6, 7.5) - ease(now, 10.5, 12);
    SIZES.forEach((size, i) => {
      const h = tall * (size + equal * (0.86 - size));
      const [x, y] = [left + i * step + (step - wide) / 2, bottom - h];
      const dropped = cut * SIZES.length > SIZES.length - 1 - i + 0.5 && i >= 6;
      if (dropped) {
        Object.assign(context, {strokeStyle: roles.noise, lineWidth: 1.5 * roles.k});
        context.strokeRect(x, y, wide, h);
      } else {
        context.fillStyle = roles.convex;
        context.fillRect(x, y, wide, h);
      }
    });
    drawFloor(context, roles, width, bottom);
    if (cut <= 0.02) return;
    const x = left + (SIZES.length - cut * 6) * step;
    drawCutLine(context, roles, [x, bottom - tall], [x, bottom + 8 * roles.k], [x, bottom - tall]);
  };
}

function drawFloor(context, roles, width, bottom) {
  Object.assign(context, {strokeStyle: roles.ink2, lineWidth: 1});
  context.beginPath();
  context.moveTo(0.08 * width, bottom + 0.5);
  context.lineTo(0.92 * width, bottom + 0.5);
  context.stroke();
}

function drawCutLine(context, roles, from, to, [x, y]) {
  Object.assign(context, {strokeStyle: roles.ink, lineWidth: 2.5 * roles.k});
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
  context.beginPath();
  context.arc(x, y, 8 * roles.k, 0, 7);
  Object.assign(context, {fillStyle: roles.hand, strokeStyle: roles.ink, lineWidth: 1.5 * roles.k});
  context.fill();
  context.stroke();
}

/** Variances, and a line: what is above it is kept, less what is below. */
function thresholdPicture() {
  return (canvas, seconds, roles) => {
    const [context, width, height] = fitCanvas(canvas);
    const {left, right, bottom, step, wide, tall} = barPlaces(width, height);
    const level = 0.12 + 0.5 * (0.5 - 0.5 * Math.cos(2 * Math.PI * (seconds + 1) / 11));
    const line = bottom - tall * level;
    SIZES.forEach((size, i) => {
      const x = left + i * step + (step - wide) / 2;
      const y = bottom - tall * size;
      if (size > level) {
        context.fillStyle = withAlpha(roles.convex, roles.dark ? 0.28 : 0.2);
        context.fillRect(x, line, wide, bottom - line);
        context.fillStyle = roles.convex;
        context.fillRect(x, y, wide, line - y);
      } else {
        Object.assign(context, {strokeStyle: roles.noise, lineWidth: 1.5 * roles.k});
        context.strokeRect(x, y, wide, bottom - y);
      }
    });
    drawFloor(context, roles, width, bottom);
    drawCutLine(context, roles, [0.08 * width, line], [right, line], [right, line]);
  };
}

/** Points cut the plane into cells; the hand goes round, and neurons stand in three of them. */
function cellsPicture() {
  const points = [0.4, 1.1, 1.75, 2.6, 3.5, 4.35, 5.2, 5.9];
  const walls = points.flatMap((a) => [(a + Math.PI / 2) % (2 * Math.PI), (a + 3 * Math.PI / 2) % (2 * Math.PI)])
    .sort((a, b) => a - b);
  const neurons = [[0.8, 0.9], [2.35, 0.7], [4.72, 1]];
  return (canvas, seconds, roles) => {
    const [context, width, height] = fitCanvas(canvas);
    const [cx, cy, r] = [width / 2, height / 2, 0.4 * height];
    const far = width + height;
    const hand = (seconds * 0.45) % (2 * Math.PI);
    const wedge = (angle) => walls.findIndex((w, i) => angle >= w && angle < (walls[i + 1] ?? 7));
    const lit = wedge(hand) < 0 ? walls.length - 1 : wedge(hand);
    walls.forEach((from, i) => {
      const to = walls[i + 1] ?? walls[0] + 2 * Math.PI;
      const holds = neurons.some(([a]) => a >= from && a < to);
      context.beginPath();
      context.moveTo(cx, cy);
      context.arc(cx, cy, far, -to, -from);
      context.closePath();
      context.fillStyle = i === lit ? withAlpha(roles.hand, roles.dark ? 0.34 : 0.42)
        : holds ? withAlpha(roles.convex, roles.dark ? 0.22 : 0.15) : withAlpha(roles.ink, 0.03 + 0.02 * (i % 3));
      context.fill();
      Object.assign(context, {strokeStyle: roles.dark ? roles.paper : roles.surface, lineWidth: 1.5 * roles.k});
      context.stroke();
    });
    for (const [angle, length] of neurons) drawNeuron(context, roles, [cx, cy], angle, length * r);
    for (const angle of points) {
      context.beginPath();
      context.arc(cx + 1.02 * r * Math.cos(angle), cy - 1.02 * r * Math.sin(angle), 5 * roles.k, 0, 7);
      Object.assign(context, {fillStyle: roles.data, strokeStyle: roles.surface, lineWidth: 2 * roles.k});
      context.fill();
      context.stroke();
    }
  };
}

function drawNeuron(context, roles, [x, y], angle, length) {
  const [ux, uy] = [Math.cos(angle), -Math.sin(angle)];
  const head = 13 * roles.k;
  Object.assign(context, {strokeStyle: roles.convex, fillStyle: roles.convex, lineWidth: 4 * roles.k});
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + (length - 0.8 * head) * ux, y + (length - 0.8 * head) * uy);
  context.stroke();
  context.beginPath();
  context.moveTo(x + length * ux, y + length * uy);
  context.lineTo(x + (length - head) * ux + 0.42 * head * uy, y + (length - head) * uy - 0.42 * head * ux);
  context.lineTo(x + (length - head) * ux - 0.42 * head * uy, y + (length - head) * uy + 0.42 * head * ux);
  context.closePath();
  context.fill();
}

/** The drawing that a card asks for; the bowl where there is none. */
function pictureOf(kind, meta) {
  if (kind === 'walk' && meta.walk) return walkPicture(meta, meta.arrays);
  const kinds = {whitening: whiteningPicture, threshold: thresholdPicture, cells: cellsPicture};
  return (kinds[kind] ?? bowlPicture)();
}
