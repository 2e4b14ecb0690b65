import { BakeError } from "../base/errors.ts";
import { present, type Cloud } from "./cloud.ts";
import { cloudCodeOf } from "./cloud-error.ts";

/**
 * The value of a plain parameter of Systems Manager, public ones included.
 * @throws BakeError `usage` when there is none of this name.
 */
export async function readParameter(cloud: Cloud, name: string, signal: AbortSignal): Promise<string> {
  const { getParameter } = await import("./ssm.ts");
  const ssm = await cloud.ssm();
  try {
    const reply = await cloud.ask("ssm:GetParameter", signal, (o) => ssm.send(getParameter(name), o), {
      resource: name,
    });
    return present(reply.Parameter?.Value, `value of the parameter ${name}`);
  } catch (error) {
    if (cloudCodeOf(error) !== "ParameterNotFound") throw error;
    throw new BakeError("usage", `there is no parameter ${name} here`, {
      cause: error,
      hint: "check the name, the Region and the account",
    });
  }
}
