// What `component.py` packed: [u32 header length][JSON][buffers], each part padded to 4 bytes.
const ARRAY_TYPES = {
  u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i4: Int32Array, u4: Uint32Array, f4: Float32Array,
};

/** The header at `start`, and where the bytes behind it begin. */
function readHeader(bytes, start = 0) {
  const length = new DataView(bytes.buffer, bytes.byteOffset + start).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(start + 4, start + 4 + length));
  return {header: JSON.parse(text), end: start + 4 + length};
}

/** Name -> typed array; copied once, because typed arrays want aligned memory. */
function readArrays(bytes, header, start) {
  const from = bytes.byteOffset + start;
  const buffer = bytes.buffer.slice(from, bytes.byteOffset + bytes.byteLength);
  const arrays = {};
  for (const {name, off, len, dtype} of header.arrays) {
    arrays[name] = new ARRAY_TYPES[dtype](buffer, off, len);
  }
  return arrays;
}

/** A whole payload: its meta with the arrays by name in `arrays`. */
function unpack(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const {header, end} = readHeader(bytes);
  return {...header, arrays: readArrays(bytes, header, end)};
}
