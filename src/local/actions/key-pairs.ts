import { z } from "zod";
import { newKeyPair, readPublicKey, type PublicKey } from "../key-format.ts";
import { ApiError, byIds } from "../protocol/errors.ts";
import { filtered, filterParameters } from "../protocol/listing.ts";
import { flag, list, text } from "../protocol/query.ts";
import type { XmlObject } from "../protocol/xml.ts";
import { newId } from "../state/ids.ts";
import type { KeyPair, State, Tags } from "../state/schema.ts";
import { action, type Context } from "./action.ts";
import { tagSet, tagsFor, tagSpecificationParameters } from "./tags.ts";

async function add(context: Context, name: string, key: PublicKey, tags: Tags): Promise<KeyPair> {
  if (name === "" || name.length > 255) {
    throw new ApiError("InvalidParameterValue", "A key name has 1 to 255 characters");
  }
  return await context.change((draft) => {
    if (draft.keyPairs.some((each) => each.name === name)) {
      throw new ApiError("InvalidKeyPair.Duplicate", `The keypair '${name}' already exists.`);
    }
    const pair: KeyPair = {
      id: newId("key"),
      name,
      type: key.type,
      fingerprint: key.fingerprint,
      publicKey: key.line,
      createdAt: context.now(),
      tags,
    };
    draft.keyPairs.push(pair);
    return structuredClone(pair);
  });
}

function pairXml(pair: KeyPair): XmlObject {
  return {
    keyPairId: pair.id,
    keyName: pair.name,
    keyFingerprint: pair.fingerprint,
    tagSet: tagSet(pair.tags),
  };
}

function namedPairs(state: State, names: readonly string[]): KeyPair[] {
  return names.map((name) => {
    const pair = state.keyPairs.find((each) => each.name === name);
    if (pair === undefined)
      throw new ApiError("InvalidKeyPair.NotFound", `The key pair '${name}' does not exist`);
    return pair;
  });
}

export const keyPairActions = [
  action(
    "ImportKeyPair",
    z.strictObject({ KeyName: text, PublicKeyMaterial: text, ...tagSpecificationParameters }),
    async (context, request) => {
      const key = readPublicKey(Buffer.from(request.PublicKeyMaterial, "base64").toString("utf8"));
      if (key === undefined) {
        throw new ApiError("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
      }
      const tags = tagsFor(request.TagSpecification, ["key-pair"])("key-pair");
      return pairXml(await add(context, request.KeyName, key, tags));
    },
  ),

  action(
    "CreateKeyPair",
    z.strictObject({
      KeyName: text,
      KeyType: z.enum(["rsa", "ed25519"]).default("rsa"),
      KeyFormat: z.literal("pem").optional(),
      ...tagSpecificationParameters,
    }),
    async (context, request) => {
      const key = newKeyPair(request.KeyType);
      const tags = tagsFor(request.TagSpecification, ["key-pair"])("key-pair");
      const pair = await add(context, request.KeyName, key, tags);
      return { ...pairXml(pair), keyMaterial: key.privateKey };
    },
  ),

  action(
    "DescribeKeyPairs",
    z.strictObject({
      KeyName: list(text),
      KeyPairId: list(text),
      IncludePublicKey: flag.optional(),
      ...filterParameters,
    }),
    async (context, request) => {
      const state = await context.read();
      const asked = [
        ...namedPairs(state, request.KeyName),
        ...byIds("keyPair", request.KeyPairId, state.keyPairs, ({ id }) => id),
      ];
      const wasAsked = request.KeyName.length + request.KeyPairId.length > 0;
      const matching = filtered(
        wasAsked ? asked : state.keyPairs,
        request.Filter,
        {
          "key-pair-id": ({ id }) => [id],
          "key-name": ({ name }) => [name],
          fingerprint: ({ fingerprint }) => [fingerprint],
        },
        ({ tags }) => tags,
      );
      return {
        keySet: matching.map((pair) => ({
          ...pairXml(pair),
          keyType: pair.type,
          createTime: new Date(pair.createdAt),
          ...(request.IncludePublicKey === true ? { publicKey: pair.publicKey } : {}),
        })),
      };
    },
  ),

  action(
    "DeleteKeyPair",
    z.strictObject({ KeyName: text.optional(), KeyPairId: text.optional() }),
    async (context, { KeyName, KeyPairId }) => {
      if (KeyName === undefined && KeyPairId === undefined) {
        throw new ApiError("MissingParameter", "The request must contain the parameter KeyName or KeyPairId");
      }
      const gone = await context.change((draft) => {
        // Deleting what does not exist is no error to EC2 either.
        const pair = draft.keyPairs.find((each) => each.name === KeyName || each.id === KeyPairId);
        draft.keyPairs = draft.keyPairs.filter((each) => each !== pair);
        return pair?.id;
      });
      return { return: true, keyPairId: gone };
    },
  ),
];
