import { EC2ServiceException } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import {
  cloudCodeOf,
  explainCloudError,
  isUncertain,
  markUncertain,
  problemOf,
} from "../../src/aws/cloud-error.ts";
import { BakeError } from "../../src/base/errors.ts";

function said(name: string, message = "as EC2 puts it", httpStatusCode = 400): EC2ServiceException {
  return new EC2ServiceException({ name, message, $fault: "client", $metadata: { httpStatusCode } });
}

function system(code: string): Error {
  return Object.assign(new Error(`something ${code}`), { code });
}

describe("what an error means", () => {
  test.each([
    ["RequestLimitExceeded", 503, "throttled"],
    ["Throttling", 400, "throttled"],
    ["InsufficientInstanceCapacity", 500, "capacity"],
    ["Unsupported", 400, "capacity"],
    ["VcpuLimitExceeded", 400, "capacity"],
    ["InternalError", 500, "unavailable"],
    ["Unavailable", 503, "unavailable"],
    ["SomethingNew", 502, "unavailable"],
    ["SomethingNew", 400, "permanent"],
    ["InvalidInstanceID.NotFound", 400, "not-found"],
    ["InvalidAMIID.Unavailable", 400, "not-found"],
    ["InvalidGroup.NotFound", 400, "not-found"],
    ["DependencyViolation", 400, "in-use"],
    ["InvalidSnapshot.InUse", 400, "in-use"],
    ["UnauthorizedOperation", 403, "denied"],
    ["AccessDeniedException", 400, "denied"],
    ["IncorrectInstanceState", 400, "permanent"],
    ["InvalidParameterValue", 400, "permanent"],
  ])("%s (%i): %s", (code, status, problem) => {
    const error = said(code, "", status);
    expect(problemOf(error)).toBe(problem);
    expect(problemOf(explainCloudError("RunInstances", error))).toBe(problem);
  });

  test.each(["ECONNRESET", "ENOTFOUND", "ETIMEDOUT", "EPIPE"])(
    "a connection that says %s: unavailable",
    (code) => {
      expect(problemOf(system(code))).toBe("unavailable");
      expect(problemOf(new Error("socket", { cause: system(code) }))).toBe("unavailable");
    },
  );

  test("an attempt that took too long: unavailable", () => {
    expect(problemOf(new DOMException("too long", "TimeoutError"))).toBe("unavailable");
  });

  test("a mistake of our own: permanent", () => {
    expect(problemOf(new TypeError("x is not a function"))).toBe("permanent");
  });
});

describe("explained", () => {
  test("names action, resource and code", () => {
    const error = explainCloudError("StopInstances", said("IncorrectInstanceState"), "i-1");
    expect(error.message).toBe("StopInstances i-1: as EC2 puts it (IncorrectInstanceState)");
    expect(cloudCodeOf(error)).toBe("IncorrectInstanceState");
  });

  test("denied: the statement that would allow it, and none of what only AWS can read", () => {
    const text = `You are not authorized to perform this operation. Encoded authorization failure message: ${"A1b2".repeat(400)}`;
    const error = explainCloudError(
      "RunInstances",
      said("UnauthorizedOperation", text, 403),
      "t3.small from ami-1",
    );
    expect(error.message).toBe(
      "RunInstances t3.small from ami-1: You are not authorized to perform this operation. (UnauthorizedOperation)",
    );
    expect(error.hint).toContain('{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}');
    const parameter = explainCloudError("ssm:GetParameter", said("AccessDeniedException"));
    expect(parameter.hint).toContain('"Action":"ssm:GetParameter"');
  });

  test("no network: says so, with what to look at", () => {
    const error = explainCloudError("DescribeImages", system("ENOTFOUND"));
    expect(error.message).toBe("DescribeImages: no answer from AWS: something ENOTFOUND");
    expect(error.hint).toContain("check the network");
  });

  test("no credentials, no Region: nothing was started", () => {
    const credentials = Object.assign(new Error("none found"), { name: "CredentialsProviderError" });
    expect(explainCloudError("RunInstances", credentials).kind).toBe("usage");
    expect(explainCloudError("RunInstances", new Error("Region is missing")).kind).toBe("usage");
  });
});

test("an uncertain failure is known as such, whoever wraps it", () => {
  const error = markUncertain(new BakeError("cloud", "lost"));
  expect(isUncertain(error)).toBe(true);
  expect(isUncertain(new BakeError("cloud", "more", { cause: error }))).toBe(true);
  expect(isUncertain(new BakeError("cloud", "other"))).toBe(false);
});
