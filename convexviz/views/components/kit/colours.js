// Colour roles, from the variables that Streamlit derives from .streamlit/config.toml.

const ROLE_NAMES = [
  'convex', 'descent', 'bound', 'hand', 'plus', 'minus', 'data', 'noise', 'ink2', 'surface',
];

function rgbOf(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function withAlpha(hex, alpha) {
  return `rgba(${rgbOf(hex).join(',')},${alpha})`;
}

/** Roles by name, the two ramps, fonts, and the scale `k` of strokes (1 at 16 px a rem). */
function readRoles(root) {
  const style = getComputedStyle(root.host || root);
  const value = (name) => style.getPropertyValue(name).trim();
  const list = (name) => value(name).split(',').map((item) => item.trim());
  const categorical = list('--st-chart-categorical-colors');
  // After removal from the page the variables are empty: keep the last roles.
  if (categorical.length < ROLE_NAMES.length) return root.__roles;
  const roles = Object.fromEntries(ROLE_NAMES.map((name, i) => [name, categorical[i]]));
  Object.assign(roles, {
    paper: value('--st-background-color'),
    sunk: value('--st-secondary-background-color'),
    ink: value('--st-text-color'),
    line: value('--st-border-color'),
    font: value('--st-font'),
    serif: value('--st-heading-font'),
    sequential: list('--st-chart-sequential-colors').map(rgbOf),
    diverging: list('--st-chart-diverging-colors').map(rgbOf),
    rem: parseFloat(getComputedStyle(document.documentElement).fontSize),
  });
  roles.dark = rgbOf(roles.paper)[0] < 90;
  roles.k = roles.rem / 16;
  const box = root.querySelector('.cx');
  for (const name of ['surface', 'minus', 'noise']) box?.style.setProperty(`--${name}`, roles[name]);
  root.__roles = roles;
  return roles;
}

/** The colour at `t` in [0, 1] of a ramp of rgb triples. */
function rampAt(ramp, t) {
  const x = Math.max(0, Math.min(1, t)) * (ramp.length - 1);
  const i = Math.min(ramp.length - 2, Math.floor(x));
  const f = x - i;
  return [0, 1, 2].map((c) => ramp[i][c] + f * (ramp[i + 1][c] - ramp[i][c]));
}

/** Opaque pixel value as ImageData holds it (little-endian RGBA). */
function packedColour([r, g, b], alpha = 255) {
  return ((alpha << 24) | (Math.round(b) << 16) | (Math.round(g) << 8) | Math.round(r)) >>> 0;
}

/** 256 packed colours along a ramp, so that painting is a table look-up. */
function colourTable(ramp) {
  return Uint32Array.from({length: 256}, (_, i) => packedColour(rampAt(ramp, i / 255)));
}
