/** A number to float32, and from there to 8 significant bits, ties to even: what bfloat16 holds of it. */
export function bf16(exact: number): number {
  const x = Math.fround(exact);
  if (x === 0 || !Number.isFinite(x)) return x;
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(x))));
  const units = x / 2 ** (exponent - 7);
  const below = Math.floor(units);
  const above = units - below > 0.5 || (units - below === 0.5 && below % 2 !== 0);
  return Math.fround((above ? below + 1 : below) * 2 ** (exponent - 7));
}

/** What 16 bits stand for: a sign, 8 bits of exponent and 7 of fraction. */
export function fromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 7) & 0xff;
  const fraction = bits & 0x7f;
  if (exponent === 0xff) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction : 128 + fraction) * 2 ** (Math.max(1, exponent) - 134);
}
