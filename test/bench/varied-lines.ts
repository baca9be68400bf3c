/** Lines of 100 bytes as builds print them: words, paths and numbers that differ from line to line. */
export function variedLines(size: number): Buffer {
  const content = Buffer.alloc(size, ' ');
  let seed = 1;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % n;
  };
  for (let at = 0, n = 0; at < size; at += 100, n++) {
    const hash = (random(0x7fffffff) * 4_096 + random(4_096)).toString(16).padStart(11, '0');
    const text = `[${n}] CC src/module-${random(200)}/file${random(5_000)}.c -o build/${hash}.o -O${random(4)} -DVALUE=${random(1e6)}`;
    content.write(text.slice(0, 99), at);
    content[at + 99] = 10;
  }
  return content;
}
