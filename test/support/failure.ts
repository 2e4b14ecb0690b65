import { BakeError } from "../../src/base/errors.ts";

/** The BakeError that a promise is rejected with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<BakeError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof BakeError) return error;
    throw error;
  }
  throw new Error("it was expected to fail, and did not");
}
