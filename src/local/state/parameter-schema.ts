import { z } from "zod";

/** A parameter of Systems Manager; only the newest version is kept. */
export const parameter = z.object({
  name: z.string(),
  type: z.enum(["String", "StringList", "SecureString"]),
  dataType: z.enum(["text", "aws:ec2:image"]),
  value: z.string(),
  version: z.number(),
  changedAt: z.number(),
  /** Who put it there: an ARN. Absent in a state that was written before it was kept, as is what follows. */
  changedBy: z.string().optional(),
  description: z.string().optional(),
  /** The KMS key of a SecureString, as asked for; values are kept as they are, in a file that only the user may read. */
  keyId: z.string().optional(),
});
