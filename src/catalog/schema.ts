import * as z from "zod";
import { parameterNamePattern, serviceNamePattern } from "./names.ts";
import { resourceShape } from "./resources/schema.ts";
import { parameterTypes } from "./service.ts";

// The one definition of service.yaml. From it come the type (z.output), the checks (declaration.ts), the messages
// (issues.ts: `title` is what was expected, `examples` or else `description` is the hint), the table in
// docs/services.md and the JSON Schema for editors (schema-docs.ts).

/** Longest that one step may take: a day, in seconds. */
const longestTimeout = 86_400;

const secondsByUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of a duration that the schema let through: `90s`, `10m`, `1h`, or a number of seconds. */
export function secondsOf(duration: string | number): number {
  if (typeof duration === "number") return duration;
  return Number(duration.slice(0, -1)) * (secondsByUnit[duration.slice(-1)] ?? Number.NaN);
}

const serviceName = z.string().regex(serviceNamePattern).meta({
  title: "a service name",
  description:
    "A service name has small letters, digits and dashes, starts with a letter, and has at most 63.",
});

// A name that ends in a dash is an order to remove the package where apt-get reads it.
const packageName = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9@](?:[A-Za-z0-9@._+:~/=-]*[A-Za-z0-9._+~])?$/)
  .meta({
    title: "a package name",
    description:
      "A package name has letters, digits and any of @._+:~/=- without spaces or a dash at either end.",
  });

const packageNames = z.array(packageName).meta({
  title: "a list of package names",
  examples: [["nginx", "curl"]],
});

// Neither a template without an instance (`x@.service`) nor a kind that cannot be enabled.
const unitName = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9:_.\\-]*(?:@[A-Za-z0-9:_.\\-]+)?\.(?:service|socket|timer|path|mount|automount|swap|target|slice)$/,
  )
  .meta({
    title: "the name of a systemd unit with its suffix",
    description:
      "A unit is named with its suffix and, for a template, its instance: nginx.service, getty@tty1.service.",
  });

const unit = z
  .union([
    unitName,
    z.strictObject({
      name: unitName,
      enabled: z.boolean().default(true).meta({
        title: "true or false",
        description: "Whether it starts at every boot.",
      }),
      started: z.boolean().optional().meta({
        title: "true or false",
        description: "Whether it runs; as enabled says when left out.",
      }),
      masked: z.boolean().default(false).meta({
        title: "true or false",
        description: "Whether nothing may start it.",
      }),
      restartOn: z
        .array(z.string().min(1))
        .default([])
        .meta({
          title: "a list of paths of declared files, packages, and directories of archives",
          description: "It is restarted after one of them has changed.",
          examples: [["/etc/nginx/conf.d/app.conf", "nginx"]],
        }),
    }),
  ])
  .meta({
    title: "a unit: its name, or name, enabled, started, masked and restartOn",
    examples: [{ name: "nginx.service", restartOn: ["/etc/nginx/conf.d/app.conf"] }],
  });

const parameterName = z.string().max(64).regex(parameterNamePattern).meta({
  title: "a parameter name",
  description:
    "A parameter name has small letters, digits, dashes and underscores, and starts with a letter.",
});

const plainValue = z.union([z.string(), z.number(), z.boolean()]);

const flag = (description: string) =>
  z.boolean().default(false).meta({ title: "true or false", description });

const parameter = z
  .strictObject({
    type: z
      .enum(parameterTypes)
      .optional()
      .meta({
        title: `one of ${parameterTypes.join(", ")}`,
        description: "What a value has to be; a text when left out. An enum lists its values.",
        examples: ["integer"],
      }),
    values: z
      .array(plainValue)
      .default([])
      .meta({
        title: "a list of values",
        description: "What an enum may be, or what may be in a list.",
        examples: [["debug", "info"]],
      }),
    default: z
      .union([plainValue, z.array(plainValue)])
      .optional()
      .meta({
        title: "a text, a number, true or false, or a list of these",
        description: "The value when nobody sets another. Leave the key out for a parameter without a value.",
      }),
    description: z.string().optional().meta({ title: "a text", description: "What it is for." }),
    required: flag("Whether somebody has to set it."),
    secret: flag("Whether it is given by reference only, is never baked and never logged."),
    from: z
      .string()
      .regex(/^ssm:\/?[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/)
      .optional()
      .meta({
        title: "a name in Parameter Store after ssm:",
        description: "Where the machine finds the value at update, by the role that it has.",
        examples: ["ssm:/app/token"],
      }),
    phase: z
      .enum(["init", "update"])
      .optional()
      .meta({
        title: "init or update",
        description:
          "The first phase that uses it. A value for init is baked; one for update can be given at each launch.",
        examples: ["update"],
      }),
  })
  .meta({
    title: "a parameter: type, default, description...",
    examples: [{ type: "integer", default: 80, description: "port to listen on" }],
  });

/** `service.yaml`, as a person writes it. */
export const serviceSchema = z
  .strictObject({
    description: z
      .string()
      .optional()
      .meta({
        title: "a text",
        description: "What the service is, in a line.",
        examples: ["nginx web server"],
      }),
    requires: z
      .array(serviceName)
      .default([])
      .meta({
        title: "a list of service names",
        description:
          "Services that must be there first: each of their phases is done before the same phase of this one.",
        examples: [["base", "nginx"]],
      }),
    packages: z
      .union([packageNames, z.strictObject({ dnf: packageNames.default([]), apt: packageNames.default([]) })])
      .default([])
      .meta({
        title: "a list of package names, or one list for dnf and one for apt",
        description:
          "Packages of the machine's package manager. All services' packages are installed in one transaction before the first init step.",
        examples: [["nginx"], { dnf: ["nginx"], apt: ["nginx-light"] }],
      }),
    ...resourceShape,
    units: z
      .array(unit)
      .default([])
      .meta({
        title: "a list of units",
        description:
          "systemd units that are enabled and started (or disabled and stopped) as the last step of init, and restarted after what they name has changed. A name alone means enabled.",
        examples: [["nginx.service", { name: "apt-daily.timer", enabled: false }]],
      }),
    parameters: z
      .record(parameterName, parameter)
      .default({})
      .meta({
        title: "a mapping of names to parameters",
        description:
          "Values that every step finds in its environment: the parameter listen-port is BAKE_LISTEN_PORT. A number keeps the digits that you wrote.",
        examples: [
          { port: { type: "integer", default: 80, description: "port to listen on" } },
          { token: { secret: true, from: "ssm:/app/token" } },
        ],
      }),
    timeout: z
      .union([
        z
          .string()
          .regex(/^[1-9][0-9]{0,5}[smh]$/)
          .refine((text) => secondsOf(text) <= longestTimeout),
        z.int().min(1).max(longestTimeout),
      ])
      .default("10m")
      .meta({
        title: "a duration of at most 24h such as 90s, 10m or 1h, or a number of seconds",
        description: "How long one step may take before it is stopped and counts as failed.",
        examples: ["10m"],
      }),
    retries: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .meta({
        title: "a whole number from 0 to 10",
        description: "How often a failed step is tried again, after 2, 4, 8... seconds.",
        examples: [2],
      }),
  })
  .meta({
    title: "a mapping of keys to values",
    description: "What a bake-ami service declares.",
    examples: [{ description: "nginx web server" }],
  });

/** A service file that passed the checks, with defaults filled in. */
export type Declaration = z.output<typeof serviceSchema>;
