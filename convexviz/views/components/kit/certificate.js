// The certificate card: what is proved, in numbers and in words, with what it covers.

// Head; sentence once proved; sentence while the gap is open. {P} is the number of patterns.
const SCOPES = {
  RELU_NETWORK: [
    'Covers every ReLU network',
    'No ReLU network, of any width, has an objective below the dual.',
    'Every ReLU network, of any width, lies above the dual. How far above is still open.',
  ],
  SAMPLED_PROGRAM: [
    'Covers the sampled program',
    'Optimal with these {P} patterns. With others the network may do better.',
    'Bounds the program with these {P} patterns only. With others the network may do better.',
  ],
  GATED_NETWORK: [
    'Covers the gated network',
    'Optimal for these {P} fixed gates. It says nothing about other gates, or about ReLU.',
    'The optimum for these {P} fixed gates lies between dual and primal.',
  ],
  GAN_GAME: [
    'Covers the whole game',
    'No generator does better against this kind of critic.',
    'The value of the game lies between dual and primal.',
  ],
};
const NO_SCOPE = [
  'Covers nothing',
  'No lower bound was computed, so the optimum may be anywhere below.',
];
const CHIPS = {proved: '✓ Proved', open: '= Gap open', none: '◌ No bound'};
const ICONS = {
  proved: '<path d="M2 6.5l2.8 2.8L10 3.5" stroke-width="2" stroke-linejoin="round"/>',
  open: '<path d="M2 4h8M2 8h8" stroke-width="2"/>',
  none: '<circle cx="6" cy="6" r="4" stroke-width="1.5" stroke-dasharray="2 2"/>',
};

function escapeText(words) {
  const entities = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'};
  return String(words).replace(/[&<>"']/g, (c) => entities[c]);
}

/** `proved`, `open` or `none`: proved needs a gap within the tolerance. */
function certificateStatus({primal, dual, tolerance}) {
  if (dual === null || dual === undefined) return 'none';
  return relativeGap(primal, dual) <= tolerance ? 'proved' : 'open';
}

function relativeGap(primal, dual) {
  const gap = Math.max(0, primal - dual);
  return gap === 0 ? 0 : gap / Math.max(Math.abs(primal), 1e-300);
}

function chipHtml(status) {
  const icon = `<svg width="11" height="11" viewBox="0 0 12 12" aria-hidden="true" fill="none"
    stroke="currentColor" stroke-linecap="round">${ICONS[status]}</svg>`;
  return `<span class="chip ${status}">${icon}${CHIPS[status].slice(2)}</span>`;
}

/** Nine decades, 1 to 1e-9, with a tick at the tolerance. */
function gaugeHtml(gap, tolerance, status) {
  const at = (value) => Math.max(0, Math.min(9, -Math.log10(Math.max(value, 1e-9)))) / 9 * 100;
  const colour = status === 'proved' ? 'var(--bound)' : 'var(--descent)';
  const bar = `<rect x="0" y="2" width="${at(gap)}%" height="6" rx="3" fill="${colour}"/>`;
  const ticks = Array.from({length: 10}, (_, i) => `<line x1="${i / 9 * 100}%" x2="${i / 9 * 100}%"
    y1="10" y2="${i % 3 ? 13 : 15}" stroke="var(--ink2)" stroke-opacity=".6"/>`).join('');
  const labels = [[0, '1', 'start'], [3, '1e-3', 'middle'], [6, '1e-6', 'middle'], [9, '1e-9', 'end']]
    .map(([i, words, anchor]) => `<text x="${i / 9 * 100}%" y="27" text-anchor="${anchor}"
      fill="var(--ink2)">${words}</text>`).join('');
  return `<svg class="gauge" role="img" aria-label="gap on a scale from 1 to 1e-9">
    <rect x="0" y="2" width="100%" height="6" rx="3" fill="var(--sunk)"/>
    ${status === 'none' ? '' : bar}
    <line x1="${at(tolerance)}%" x2="${at(tolerance)}%" y1="-1" y2="11" stroke="var(--ink)"
      stroke-width="1.5"/>${ticks}${labels}</svg>`;
}

/** Primal and dual, the digits on which they agree in ink, the rest grey. */
function valuesHtml({primal, dual}, status) {
  const [a, b, shared] = formatPair(primal, dual ?? 0);
  const mark = (s) => (status === 'none'
    ? `<b>${s}</b>` : `<b>${s.slice(0, shared)}</b><span>${s.slice(shared)}</span>`);
  return `<dl><dt><i class="solid"></i>Primal</dt><dd>${mark(a)}</dd>
    <dt><i class="dashed"></i>Dual</dt><dd>${status === 'none' ? 'none' : mark(b)}</dd></dl>`;
}

/** Bounds beyond the program's own: one proved, one that only looks like a bound. */
function widerHtml({
  network_bound: bound, estimated_bound: estimate, estimated_m_over_beta: ratio,
}) {
  const proved = Number.isFinite(bound) ? `<p class="proved"><i class="dashed"></i><span>Every ReLU
    network: objective above <b>${formatFloor(bound)}</b> (proved)</span></p>` : '';
  const largest = Number.isFinite(ratio)
    ? `, from the largest M/β found, <em>${formatFloor(ratio, 4)}</em>` : '';
  const guess = Number.isFinite(estimate) ? `<p class="guess"><i class="ring"></i><span>Estimate (not
    a bound): <em>${formatFloor(estimate, 4)}</em>${largest}</span></p>` : '';
  return proved || guess ? `<div class="wider">${proved}${guess}</div>` : '';
}

function footHtml({n_neurons: neurons, foot}) {
  const words = Number.isFinite(neurons)
    ? `<b>${formatCount(neurons)} neuron${neurons === 1 ? '' : 's'}.</b> ` : '';
  return `<div class="foot">${words}${escapeText(foot ?? '')}</div>`;
}

/** Fill `element` with the card of one certificate (`certificate.fields` in Python). */
function drawCertificate(element, values) {
  const tolerance = values.tolerance ?? 1e-5;
  const status = certificateStatus({...values, tolerance});
  const gap = status === 'none' ? null : relativeGap(values.primal, values.dual);
  const scope = SCOPES[values.scope];
  const [head, body] = status === 'none' || !scope
    ? NO_SCOPE : [scope[0], scope[status === 'proved' ? 1 : 2]];
  const sentence = body.replace('{P}', formatCount(values.n_patterns ?? 0));
  const html = `<div class="top"><h3 class="label">Certificate</h3>${chipHtml(status)}</div>
    <p class="gap"><b>${formatGap(gap)}</b> <span class="sub">relative gap</span></p>
    ${gaugeHtml(gap ?? 1, tolerance, status)}${valuesHtml(values, status)}
    <div class="scope"><strong>${head}</strong><span class="sub">${sentence}</span></div>
    ${widerHtml(values)}${footHtml(values)}`;
  element.classList.add('card', 'cert');
  if (element.__html === html) return;
  element.__html = html;
  element.innerHTML = html;
}
