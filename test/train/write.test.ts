import { describe, expect, it } from 'vitest';
import { writeTokens } from '../../src/index.ts';

/** Each step's logits: of `likely` the largest for the token after its own, all else by `others`. */
const successor = {
  seen: [] as number[][],
  async predictAsync(inputs: unknown) {
    const { data, shape } = inputs as { data: Int32Array; shape: number[] };
    this.seen.push([...data]);
    const logits = Float32Array.from({ length: shape[1] * 5 }, (_, i) => {
      const [step, token] = [Math.floor(i / 5), i % 5];
      return token === (data[step] + 1) % 5 ? 2 : token / 100;
    });
    return { data: logits, shape: [...shape, 5] };
  },
};

describe('writing', () => {
  it('at temperature 0 takes the likeliest token, by the last tokens alone', async () => {
    successor.seen = [];
    const options = { count: 6, context: 3, temperature: 0 };
    expect([...(await writeTokens(successor, Int32Array.of(0, 1), options))]).toEqual([
      2, 3, 4, 0, 1, 2,
    ]);
    expect(successor.seen.slice(0, 3)).toEqual([
      [0, 1, -1],
      [0, 1, 2],
      [1, 2, 3],
    ]);
  });

  it('draws as the softmax of logits over the temperature says, from the likeliest alone by topK', async () => {
    const frequencies = async (options: object) => {
      const fixed = {
        predictAsync: async () => ({
          data: Float32Array.of(0, 1, 2, -1),
          shape: [1, 1, 4],
        }),
      };
      const count = 20_000;
      const all = await writeTokens(fixed, Int32Array.of(0), { count, context: 1, ...options });
      return [0, 1, 2, 3].map((token) => all.filter((x) => x === token).length / count);
    };
    const softmax = (logits: number[]) => {
      const e = logits.map(Math.exp);
      return e.map((x) => x / e.reduce((sum, y) => sum + y));
    };
    const close = (is: number[], expected: number[]) =>
      // Four standard deviations of a share of 20,000 draws are at most 0.0142.
      is.forEach((x, i) => {
        expect(Math.abs(x - expected[i])).toBeLessThan(0.0142);
      });
    close(await frequencies({}), softmax([0, 1, 2, -1]));
    close(await frequencies({ temperature: 2 }), softmax([0, 0.5, 1, -0.5]));
    const two = await frequencies({ topK: 2 });
    close(two, softmax([-Infinity, 1, 2, -Infinity]));
    expect([two[0], two[3]]).toEqual([0, 0]);
    expect(await frequencies({ topK: 1 })).toEqual([0, 0, 1, 0]);
  });

  it('is the same for a seed, and another for another', async () => {
    const write = async (seed: number) => [
      ...(await writeTokens(successor, Int32Array.of(0), { count: 50, context: 4, seed })),
    ];
    expect(await write(3)).toEqual(await write(3));
    expect(await write(3)).not.toEqual(await write(4));
  });

  it('refuses what it cannot do', async () => {
    const prompt = Int32Array.of(0);
    const refused = (options: object, tokens = prompt) =>
      expect(writeTokens(successor, tokens, { count: 1, context: 2, ...options })).rejects;
    await refused({}, new Int32Array(0)).toThrow(/at least one token/);
    await refused({ temperature: -1 }).toThrow(/temperature/);
    await refused({ temperature: Infinity }).toThrow(/temperature/);
    await refused({ topK: 0 }).toThrow(/topK/);
    await refused({ seed: 0.5 }).toThrow(/seed of writeTokens/);
    await refused({ count: 0 }).toThrow(/count of writeTokens/);
    await refused({ temprature: 1 }).toThrow(/temprature/);
    const classes = { predictAsync: async () => ({ data: new Float32Array(3), shape: [1, 3] }) };
    await expect(writeTokens(classes, prompt, { count: 1, context: 2 })).rejects.toThrow(
      /outputs are \[1, 2, vocabulary\], got \[1, 3\]/,
    );
  });
});
