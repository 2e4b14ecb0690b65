/**
 * Does the work for each item, some at once, in their order. After the first failure nothing more is begun, and what is under
 * way ends before the failure is thrown.
 * @returns the results in the order of the items
 */
export async function atOnce<T, Result>(
  most: number,
  items: readonly T[],
  work: (item: T) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const queue = items.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return;
      try {
        results.set(index, await work(item));
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, worker));
  for (const each of workers) if (each.status === "rejected") throw each.reason;
  return [...results].sort(([a], [b]) => a - b).map(([, result]) => result);
}
