// |H| of a k x k filter at RESPONSE x RESPONSE frequencies, zero frequency in the middle.
const RESPONSE = 48;

function makeResponse(k) {
  const cosine = new Float64Array(RESPONSE * k);
  const sine = new Float64Array(RESPONSE * k);
  for (let u = 0; u < RESPONSE; u++) {
    for (let x = 0; x < k; x++) {
      const phase = ((2 * Math.PI * (u - RESPONSE / 2)) / RESPONSE) * (x - Math.floor(k / 2));
      cosine[u * k + x] = Math.cos(phase);
      sine[u * k + x] = Math.sin(phase);
    }
  }
  return (filter) => magnitude(filter, k, cosine, sine);
}

/** Rows first, then columns: k N (k + N) products instead of (k N)^2. */
function magnitude(filter, k, cosine, sine) {
  const N = RESPONSE;
  const real = new Float64Array(k * N);
  const imaginary = new Float64Array(k * N);
  for (let y = 0; y < k; y++) {
    for (let u = 0; u < N; u++) {
      for (let x = 0; x < k; x++) {
        real[y * N + u] += filter[y * k + x] * cosine[u * k + x];
        imaginary[y * N + u] -= filter[y * k + x] * sine[u * k + x];
      }
    }
  }
  const response = new Float64Array(N * N);
  for (let v = 0; v < N; v++) {
    for (let u = 0; u < N; u++) {
      let [a, b] = [0, 0];
      for (let y = 0; y < k; y++) {
        const [c, s] = [cosine[v * k + y], sine[v * k + y]];
        const [p, q] = [real[y * N + u], imaginary[y * N + u]];
        a += p * c + q * s;
        b += q * c - p * s;
      }
      response[v * N + u] = Math.sqrt(a * a + b * b);
    }
  }
  return response;
}
