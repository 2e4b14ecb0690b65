import { createHash } from "node:crypto";
import { ApiError } from "../protocol/errors.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { accountId, type Parameter } from "../state/schema.ts";

export function parameterNotFound(name: string): ApiError {
  return new ApiError("ParameterNotFound", `Parameter ${name} not found.`);
}

/** A parameter as it is read. @param decrypted whether the plain value of a SecureString is asked for */
export function shownParameter(region: string, parameter: Parameter, decrypted: boolean): XmlObject {
  const { name, type, value, version, changedAt, dataType } = parameter;
  const isOurs = !name.startsWith("/aws/");
  return {
    Name: name,
    Type: type,
    Value: type === "SecureString" && !decrypted ? sealed(parameter) : value,
    Version: version,
    LastModifiedDate: new Date(changedAt),
    ARN: `arn:aws:ssm:${region}:${isOurs ? accountId : ""}:parameter/${name.replace(/^\//, "")}`,
    DataType: dataType,
  };
}

/** What is told of a parameter without its value. */
export function describedParameter(parameter: Parameter): XmlObject {
  const { name, type, keyId, version, changedAt, changedBy, description, dataType } = parameter;
  return {
    Name: name,
    Type: type,
    KeyId: keyId,
    LastModifiedDate: new Date(changedAt),
    LastModifiedUser: changedBy,
    Description: description,
    Version: version,
    Tier: "Standard",
    Policies: [],
    DataType: dataType,
  };
}

/** Stands for the ciphertext that AWS shows. It does not follow from the value, which may be short and easily guessed. */
function sealed({ name, version, changedAt }: Parameter): string {
  const digest = createHash("sha512")
    .update(JSON.stringify([name, version, changedAt]))
    .digest("base64");
  return `AQICAH${digest}`;
}
