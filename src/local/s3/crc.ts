/*
 * The cyclic redundancy checks that Node has no function for. Both are reflected, begin with all ones and are
 * inverted at the end.
 */

const table32c = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0x82f63b78;
  return value >>> 0;
});

/** CRC-32C (Castagnoli), going on from an earlier value. */
export function crc32c(data: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of data) crc = (table32c[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** In two halves: numbers have no 64 bits, and big integers are slow. */
const tables64 = ((): { readonly high: Uint32Array; readonly low: Uint32Array } => {
  const polynomial = 0x9a6c9329ac4bc9b5n;
  const whole = Array.from({ length: 256 }, (_, byte) => {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1)
      value = (value & 1n) === 0n ? value >> 1n : (value >> 1n) ^ polynomial;
    return value;
  });
  return {
    high: Uint32Array.from(whole, (value) => Number(value >> 32n)),
    low: Uint32Array.from(whole, (value) => Number(value & 0xffffffffn)),
  };
})();

export interface Crc64 {
  readonly high: number;
  readonly low: number;
}

/** CRC-64/NVME, going on from an earlier value. */
export function crc64nvme(data: Uint8Array, before: Crc64 = { high: 0, low: 0 }): Crc64 {
  let high = ~before.high;
  let low = ~before.low;
  for (const byte of data) {
    const index = (low ^ byte) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (tables64.low[index] ?? 0);
    high = (high >>> 8) ^ (tables64.high[index] ?? 0);
  }
  return { high: ~high >>> 0, low: ~low >>> 0 };
}
