// What the payload means: patterns, effective filters, and numbers that describe a filter.

/** Words for one unit: a gated network has paths that open, a ReLU network neurons. */
const UNIT_WORDS = {
  path: {one: 'path', many: 'paths', on: 'open'},
  neuron: {one: 'neuron', many: 'neurons', on: 'active'},
};

function unitWords(model, state) {
  const gated = model.meta.states[state].scope === 'GATED_NETWORK';
  return UNIT_WORDS[model.meta.unit ?? (gated ? 'path' : 'neuron')];
}

/** Images, states and patterns of one payload; each state is worked out when first shown. */
function makeModel(meta, arrays) {
  const model = {meta, arrays, n: meta.h * meta.w, states: [], k2: meta.k * meta.k};
  model.order = meta.states
    .map((state, index) => [state.weight_decay, index])
    .sort((a, b) => a[0] - b[0])
    .map(([, index]) => index);
  return model;
}

/** State `index` with its units, masked bits and pixel groups. */
function stateOf(model, index) {
  if (!model.states[index]) model.states[index] = deriveState(model, index);
  return model.states[index];
}

function deriveState(model, index) {
  const {arrays, meta, n, k2} = model;
  const unit = arrays[`unit${index}`];
  const filters = arrays[`filters${index}`];
  const bits = arrays[meta.states[index].bits];
  const words = bits.length / n;
  const mask = new Uint32Array(words);
  for (const bit of unit) mask[bit >>> 5] |= 1 << (bit & 31);
  const offset = arrays[`offset${index}`] ?? new Float32Array(unit.length);
  const state = {unit, filters, offset, bits, words, mask, out: arrays[`out${index}`]};
  state.norms = arrays[`norm${index}`] ?? Float64Array.from(unit, (_, j) => norm(filters, j, k2));
  state.sorted = [...unit.keys()].sort((a, b) => state.norms[b] - state.norms[a]);
  return Object.assign(state, groupPixels(bits, words, mask, n));
}

function norm(filters, j, k2) {
  let sum = 0;
  for (let i = j * k2; i < (j + 1) * k2; i++) sum += filters[i] * filters[i];
  return Math.sqrt(sum);
}

function mixHash(hash, word) {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/**
 * Pixels grouped by exactly equal patterns of the units in use: `ids` a pixel, `counts` and
 * `firsts` (one pixel of the group) an id. Open addressing; equality is checked, not trusted.
 */
function groupPixels(bits, words, mask, n) {
  let size = 1024;
  while (size < 2 * n) size *= 2;
  const slots = new Int32Array(size).fill(-1);
  const ids = new Int32Array(n);
  const counts = [];
  const firsts = [];
  const same = (p, q) => {
    for (let j = 0; j < words; j++) {
      if ((bits[p * words + j] ^ bits[q * words + j]) & mask[j]) return false;
    }
    return true;
  };
  for (let p = 0; p < n; p++) {
    let hash = 0x9e3779b9;
    for (let j = 0; j < words; j++) hash = mixHash(hash, bits[p * words + j] & mask[j]);
    let slot = hash & (size - 1);
    while (slots[slot] >= 0 && !same(firsts[slots[slot]], p)) slot = (slot + 1) & (size - 1);
    if (slots[slot] < 0) {
      slots[slot] = counts.length;
      counts.push(0);
      firsts.push(p);
    }
    ids[p] = slots[slot];
    counts[ids[p]] += 1;
  }
  return {ids, counts, firsts};
}

function isActive(state, pixel, j) {
  const bit = state.unit[j];
  return ((state.bits[pixel * state.words + (bit >>> 5)] >>> (bit & 31)) & 1) === 1;
}

function countBits(word) {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const RARE = 0.005; // of the image: a pattern that few pixels share is shown with its like

/** In how many units a pattern may differ and still be called alike. */
function likeness(state) {
  return Math.max(1, Math.round(state.unit.length / 16));
}

/** For each pattern: 2 if it is `id`, 1 if `id` is rare and it is alike, else 0; and their count. */
function likePatterns(model, state, id) {
  const level = new Uint8Array(state.counts.length);
  const most = likeness(state);
  let others = 0;
  if (state.counts[id] < RARE * model.n) {
    const here = state.firsts[id] * state.words;
    for (let other = 0; other < level.length; other++) {
      const there = state.firsts[other] * state.words;
      let differ = 0;
      for (let j = 0; j < state.words && differ <= most; j++) {
        differ += countBits((state.bits[here + j] ^ state.bits[there + j]) & state.mask[j]);
      }
      if (differ > most || other === id) continue;
      level[other] = 1;
      others += state.counts[other];
    }
  }
  level[id] = 2;
  return {level, others};
}

/** The linear map at one pixel: the sum of its active units, without the identity. */
function effectiveAt(model, state, pixel) {
  const filter = new Float64Array(model.k2);
  let active = 0;
  let constant = 0;
  for (let j = 0; j < state.unit.length; j++) {
    if (!isActive(state, pixel, j)) continue;
    active += 1;
    constant += state.offset[j];
    for (let i = 0; i < model.k2; i++) filter[i] += state.filters[j * model.k2 + i];
  }
  return {filter, active, constant, id: state.ids[pixel], count: state.counts[state.ids[pixel]]};
}

/** One unit's own filter, and at how many pixels it is active. */
function unitAlone(model, state, j) {
  const filter = Float64Array.from(state.filters.subarray(j * model.k2, (j + 1) * model.k2));
  let count = 0;
  state.firsts.forEach((pixel, id) => { if (isActive(state, pixel, j)) count += state.counts[id]; });
  return {filter, count, constant: state.offset[j]};
}

/** The filter with the identity of a residual network added at its centre. */
function withIdentity(model, filter) {
  if (!model.meta.residual) return filter;
  const whole = Float64Array.from(filter);
  whole[centreOf(model.meta.k)] += 1;
  return whole;
}

function centreOf(k) {
  const c = Math.floor(k / 2);
  return c * k + c;
}

/** Sum of weights, and the axis and widths (in pixels) of where their energy lies. */
function describeFilter(filter, k) {
  const m = {sum: 0, e: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0};
  for (let i = 0; i < k * k; i++) {
    const [x, y, e] = [i % k, Math.floor(i / k), filter[i] * filter[i]];
    m.sum += filter[i];
    m.e += e;
    m.x += e * x;
    m.y += e * y;
    m.xx += e * x * x;
    m.yy += e * y * y;
    m.xy += e * x * y;
  }
  if (m.e === 0) return {gain: m.sum, angle: 0, long: 0, short: 0};
  const [x, y] = [m.x / m.e, m.y / m.e];
  const [vx, vy, vxy] = [m.xx / m.e - x * x, m.yy / m.e - y * y, m.xy / m.e - x * y];
  const spread = Math.hypot((vx - vy) / 2, vxy);
  const middle = (vx + vy) / 2;
  // Rows run down, angles are read upwards from the horizontal.
  const degrees = (-Math.atan2(2 * vxy, vx - vy) * 90) / Math.PI;
  return {
    gain: m.sum,
    angle: Math.round((degrees + 180) % 180) % 180,
    long: Math.sqrt(Math.max(0, middle + spread)),
    short: Math.sqrt(Math.max(0, middle - spread)),
  };
}

/** Pixel values in the data's own units. */
function valueAt(model, values, pixel) {
  return model.meta.low + (values[pixel] / 65535) * (model.meta.high - model.meta.low);
}
