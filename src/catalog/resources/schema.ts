import * as z from "zod";

// The declared resources of service.yaml; what they mean on a machine is in phases/resources/. The metadata are read as
// schema.ts says.

const flag = (description: string, standard = false) =>
  z.boolean().default(standard).meta({ title: "true or false", description });

/** Neither a line end nor a tab nor NUL: what goes into files of one line each. */
const oneLine = /^[^\0-\x1f\x7f]+$/;

const line = (title: string, description: string, example: string) =>
  z
    .string()
    .regex(oneLine)
    .meta({ title, description, examples: [example] });

const absolutePath = z
  .string()
  .max(4000)
  .regex(/^\/[^\0\n\t]*[^\0\n\t/]$/)
  .refine((path) => !path.split("/").some((part) => part === "." || part === ".."))
  .meta({ title: "an absolute path without . and ..", examples: ["/etc/app/app.conf"] });

const accountName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
  .meta({
    title: "the name of a user or group",
    description:
      "A name has small letters, digits, dashes and underscores, does not start with a digit, and has at most 32.",
  });

const accountId = z
  .int()
  .min(1)
  .max(4_294_967_294)
  .meta({
    title: "a number from 1 to 4294967294",
    examples: [1500],
  });

const mode = z
  .string()
  .regex(/^0?[0-7]{3,4}$/)
  .meta({ title: 'octal digits in quotes, such as "0644"', examples: ["0644"] });

const phase = z
  .enum(["init", "update"])
  .default("init")
  .meta({
    title: "init or update",
    description: "Whether it is made once, when the image is baked, or at every boot of a machine.",
    examples: ["update"],
  });

const environment = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.union([z.string(), z.number(), z.boolean()]))
  .default({})
  .meta({
    title: "a mapping of variables to values",
    examples: [{ LEVEL: "info" }],
  });

const command = z
  .union([z.string().min(1), z.array(z.string()).min(1)])
  .meta({ title: "a command for the shell, or a list of a program and its arguments" });

const groups = z
  .array(
    z.union([
      accountName,
      z.strictObject({
        name: accountName,
        gid: accountId.optional(),
        system: flag("Whether its number is one of those for system groups."),
      }),
    ]),
  )
  .default([])
  .meta({
    title: "a list of groups: names, or name, gid and system",
    description: "Groups of the machine.",
    examples: [["web", { name: "data", gid: 1500 }]],
  });

const users = z
  .array(
    z.union([
      accountName,
      z.strictObject({
        name: accountName,
        uid: accountId.optional(),
        group: accountName.optional(),
        groups: z
          .array(accountName)
          .default([])
          .meta({ title: "a list of groups", examples: [["docker"]] }),
        shell: absolutePath.optional(),
        home: absolutePath.optional(),
        system: flag("Whether its number is one of those for system users, without a home of its own."),
        authorizedKeys: z
          .array(
            line("a public key in one line", "As it stands in authorized_keys.", "ssh-ed25519 AAAA... me"),
          )
          .default([])
          .meta({
            title: "a list of public keys",
            description:
              "Who may log in. Given at every update, because sealing an image takes all keys away.",
          }),
      }),
    ]),
  )
  .default([])
  .meta({
    title: "a list of users: names, or name, uid, group, groups, shell, home, system and authorizedKeys",
    description: "Users of the machine.",
    examples: [["web", { name: "deploy", groups: ["web"], shell: "/bin/bash" }]],
  });

const sources = z
  .array(
    z.strictObject({
      url: line("a URL", "An archive to fetch; needs sha256.", "https://example.com/app.tar.gz")
        .regex(/^https?:\/\/\S+$/)
        .optional(),
      file: line(
        "a path below files/",
        "An archive in the service's own directory.",
        "app.tar.gz",
      ).optional(),
      sha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional()
        .meta({ title: "64 hexadecimal digits", description: "Of the archive: sha256sum shows it." }),
      to: absolutePath,
      strip: z.int().min(0).max(20).default(0).meta({
        title: "a whole number from 0 to 20",
        description: "How many leading directories of the archive's paths are left out.",
      }),
      owner: accountName.optional(),
    }),
  )
  .default([])
  .meta({
    title: "a list of archives",
    description:
      "Archives (tar with any compression, zip) that are unpacked into a directory of their own, once for each content.",
    examples: [
      [{ url: "https://example.com/app-1.2.tar.gz", sha256: "0".repeat(64), to: "/opt/app", strip: 1 }],
    ],
  });

const files = z
  .array(
    z.strictObject({
      path: absolutePath,
      content: z.string().optional().meta({ title: "a text", description: "What is in it." }),
      source: line(
        "a path below files/",
        "The file of the service's directory that it is.",
        "app.conf",
      ).optional(),
      link: line("a path", "What it points to, for a symbolic link.", "/opt/app/current").optional(),
      owner: accountName.default("root"),
      group: accountName.optional(),
      mode: mode.optional(),
      template: flag("Whether {{parameter}} in it stands for the parameter's value."),
      phase,
    }),
  )
  .default([])
  .meta({
    title: "a list of files",
    description:
      "Files and symbolic links. A file appears whole or not at all, and is left alone where it is right already.",
    examples: [[{ path: "/etc/app/app.conf", source: "app.conf", template: true }]],
  });

const sysctl = z
  .record(
    z
      .string()
      .regex(/^[a-z][A-Za-z0-9_./*-]*$/)
      .meta({ title: "the name of a kernel setting", description: "As `sysctl -a` shows it." }),
    z.union([z.string().regex(oneLine), z.number()]),
  )
  .default({})
  .meta({
    title: "a mapping of kernel settings to values",
    description: "Settings of the kernel, at once and at every boot.",
    examples: [{ "net.core.somaxconn": 1024 }],
  });

const commands = z
  .array(
    z.strictObject({
      name: line("a name", "What it is called in messages; its number when left out.", "migrate").optional(),
      run: command,
      test: command.optional(),
      cwd: absolutePath.optional(),
      env: environment,
      ignoreErrors: flag("Whether the phase goes on when it fails."),
      phase,
    }),
  )
  .default([])
  .meta({
    title: "a list of commands",
    description:
      "Commands, as root, in the order in which they are written. With a test, only where that ends with status 0.",
    examples: [[{ run: "createdb app", test: "! psql -l | grep -qw app" }]],
  });

const unitWord = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/)
  .meta({
    title: "a name",
    description: "Small letters, digits and dashes: the systemd unit is called by it.",
    examples: ["backup"],
  });

const timers = z
  .array(
    z.strictObject({
      name: unitWord,
      schedule: line(
        "a calendar event of systemd",
        "`systemd-analyze calendar` checks it.",
        "*-*-* 03:30:00",
      ),
      run: command,
      user: accountName.default("root"),
      env: environment,
      randomDelay: line("a time span of systemd", "At most so much later, by chance.", "10m").optional(),
      persistent: flag("Whether it makes up for the times when the machine was off.", true),
    }),
  )
  .default([])
  .meta({
    title: "a list of timers",
    description:
      "Commands on a schedule: a systemd timer and its service. {{parameter}} in a value of env stands for the parameter's value.",
    examples: [[{ name: "backup", schedule: "daily", run: "/opt/app/backup" }]],
  });

/** The keys of service.yaml that declare resources. */
export const resourceShape = { groups, users, sources, files, sysctl, commands, timers };
