// Numbers as they are written everywhere; `views/format.py` is the same in Python.

const THIN = '\u202f';
const GLUE = '\u2060';

function groupThousands(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

function formatCount(value) {
  return groupThousands(String(Math.round(value)));
}

function exponential(value) {
  const [mantissa, exponent] = value.toExponential(1).split('e');
  return `${mantissa}e${GLUE}-${GLUE}${Math.abs(Number(exponent))}`;
}

function formatGap(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'unknown';
  if (value < 1e-15) return `< 1e${GLUE}-${GLUE}15`;
  if (value >= 0.0995) return value < 100 ? value.toFixed(2) : formatCount(value);
  if (value >= 0.00995) return value.toFixed(3);
  return exponential(value);
}

function formatShare(part, whole) {
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 0.5 ? '< 1 %' : `${Math.round(percent)} %`;
}

function formatDecibels(value) {
  return `${value.toFixed(1)} dB`;
}

function formatDecay(value) {
  if (value >= 100) return formatCount(value);
  return value >= 0.001 ? String(Number(value.toPrecision(3))) : exponential(value);
}

/** A signed number of two decimals with a true minus, and no minus before nought. */
function formatSigned(value, decimals = 2) {
  const words = value.toFixed(decimals);
  return Number(words) === 0 ? words.replace('-', '') : words.replace('-', '\u2212');
}

/** Decimals that show where two values part, within nine digits. */
function sharedDecimals(a, b) {
  const largest = Math.max(Math.abs(a), Math.abs(b), 1e-12);
  const whole = Math.max(0, Math.floor(Math.log10(largest))) + 1;
  const difference = Math.abs(a - b);
  const wanted = difference > 0 ? Math.ceil(-Math.log10(difference)) + 1 : 8;
  return Math.max(2, Math.min(wanted, Math.max(2, 9 - whole)));
}

/** Primal and dual to the same decimals, and how many leading characters they share. */
function formatPair(primal, dual) {
  const decimals = sharedDecimals(primal, dual);
  const write = (value) => {
    const [whole, fraction] = value.toFixed(decimals).split('.');
    return `${groupThousands(whole)}.${fraction}`.replace('-', '\u2212');
  };
  const [a, b] = [write(primal), write(dual)];
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared += 1;
  return [a, b, a.length === b.length ? shared : 0];
}

/** A lower bound is rounded down: what is printed is then still proved. */
function formatFloor(value, digits = 6) {
  const whole = Math.max(1, Math.floor(Math.log10(Math.max(Math.abs(value), 1e-12))) + 1);
  const decimals = Math.max(0, digits - whole);
  const scaled = Math.floor(value * 10 ** decimals) / 10 ** decimals;
  const [left, right] = scaled.toFixed(decimals).split('.');
  return groupThousands(left) + (right ? `.${right}` : '');
}
