import { z } from "zod";
import type { QueryNode } from "../protocol/query.ts";

/* What launches refer to, and what they leave beside instances. Times are milliseconds since the epoch. */

const tags = z.record(z.string(), z.string());

const queryNode: z.ZodType<QueryNode> = z.lazy(() => z.union([z.string(), z.record(z.string(), queryNode)]));

const launchTemplateVersion = z.object({
  number: z.number(),
  description: z.string().optional(),
  createdAt: z.number(),
  createdBy: z.string(),
  /** The parameters of a launch, as a request has them. Never changed. */
  data: z.record(z.string(), queryNode),
  clientToken: z.string().optional(),
  requestDigest: z.string(),
});

export const launchTemplate = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: z.number(),
  createdBy: z.string(),
  defaultVersion: z.number(),
  /** The newest number that was ever given: none is given twice. */
  lastNumber: z.number(),
  clientToken: z.string().optional(),
  requestDigest: z.string(),
  /** The newest first. */
  versions: z.array(launchTemplateVersion),
  tags,
});

export const placementGroup = z.object({
  id: z.string(),
  name: z.string(),
  strategy: z.enum(["cluster", "spread", "partition"]),
  partitionCount: z.number().optional(),
  createdAt: z.number(),
  tags,
});

/** An Elastic IP address: one of this computer's own that outlives instances. */
export const elasticAddress = z.object({
  id: z.string(),
  address: z.string(),
  association: z
    .object({
      id: z.string(),
      instanceId: z.string(),
      /** Whether the instance had a public address of its own before, and so gets one again afterwards. */
      hadAddress: z.boolean(),
    })
    .optional(),
  createdAt: z.number(),
  tags,
});

export const spotRequest = z.object({
  id: z.string(),
  type: z.enum(["one-time", "persistent"]),
  interruptionBehavior: z.enum(["terminate", "stop", "hibernate"]),
  /** The instance that it started; that may be gone. */
  instanceId: z.string(),
  instanceType: z.string(),
  imageId: z.string(),
  zone: z.string(),
  maxPrice: z.string().optional(),
  createdAt: z.number(),
  cancelledAt: z.number().optional(),
  tags,
});
