import { shellCommand, shellWord } from "../../base/quote.ts";
import type { Unit } from "../service.ts";
import type { Declaration } from "../schema.ts";
import { fieldsOf, type Resource } from "./resource.ts";

/** The declared resources of a service file that passed the checks, in the order in which they are made. */
export function readResources(declaration: Declaration): Resource[] {
  const { groups, users, sources, files, sysctl, commands, timers } = declaration;
  return [
    ...groups.map((group) => groupResource(typeof group === "string" ? { name: group } : group)),
    ...users.flatMap((user) =>
      typeof user === "string" ? [userResource({ name: user })] : userResources(user),
    ),
    ...sources.map(sourceResource),
    ...files.map(fileResource),
    ...Object.entries(sysctl).map(([key, value]) => ({
      kind: "sysctl" as const,
      name: key,
      phase: "init" as const,
      fields: fieldsOf({ key, value }),
    })),
    ...commands.map(commandResource),
    ...timers.flatMap(timerResources),
  ];
}

type Full<Key extends "groups" | "users"> = Exclude<Declaration[Key][number], string>;

function groupResource({ name, gid, system }: Partial<Full<"groups">> & { readonly name: string }): Resource {
  return { kind: "groups", name, phase: "init", fields: fieldsOf({ name, gid, system }) };
}

function userResource(user: Partial<Full<"users">> & { readonly name: string }): Resource {
  const { name, uid, group, groups, shell, home, system } = user;
  const fields = fieldsOf({ name, uid, group, groups: groups?.join(","), shell, home, system });
  return { kind: "users", name, phase: "init", fields };
}

function userResources(user: Full<"users">): Resource[] {
  const { name, authorizedKeys } = user;
  if (authorizedKeys.length === 0) return [userResource(user)];
  const keys = { user: name, keys: authorizedKeys };
  return [userResource(user), { kind: "keys", name, phase: "update", fields: fieldsOf(keys) }];
}

function sourceResource({ url, file, sha256, to, strip, owner }: Declaration["sources"][number]): Resource {
  return {
    kind: "sources",
    name: to,
    phase: "init",
    fields: fieldsOf({ to, url, file, sha256, strip, owner }),
  };
}

function fileResource(file: Declaration["files"][number]): Resource {
  const { path, content, source, link, owner, group, mode, template, phase } = file;
  const fields = {
    path,
    content,
    source,
    link,
    owner,
    group: group ?? owner,
    mode: mode ?? "0644",
    template,
  };
  return { kind: "files", name: path, phase, fields: fieldsOf(fields) };
}

function commandResource(command: Declaration["commands"][number], index: number): Resource {
  const { run, test, cwd, env, ignoreErrors, phase } = command;
  const name = command.name ?? `command ${index + 1}`;
  const fields = {
    name,
    run: asScript(run),
    test: test === undefined ? undefined : asScript(test),
    cwd,
    env: Object.entries(env).map(([key, value]) => `export ${key}=${shellWord(String(value))}`),
    ignore_errors: ignoreErrors,
  };
  return { kind: "commands", name, phase, fields: fieldsOf(fields) };
}

function timerResources(timer: Declaration["timers"][number]): Resource[] {
  const { name, schedule, run, user, env, randomDelay, persistent } = timer;
  const fields = fieldsOf({
    name,
    schedule,
    run: asScript(run),
    user,
    random_delay: randomDelay,
    persistent,
    environment: Object.keys(env).length > 0,
  });
  return [...environmentResources(name, env), { kind: "timers", name, phase: "init", fields }];
}

/** A timer is a unit too, whether or not it is listed under units. */
export function timerUnits({ timers }: Pick<Declaration, "timers">): Unit[] {
  return timers.map(({ name }) => {
    const unit = `${name}.timer`;
    return { name: unit, enabled: true, started: true, masked: false, restartOn: [unit] };
  });
}

/** Made at every boot, because values may be secrets, or be given at the launch. */
function environmentResources(name: string, env: Declaration["timers"][number]["env"]): Resource[] {
  const lines = Object.entries(env).map(([key, value]) => `${key}=${String(value)}`);
  if (lines.length === 0) return [];
  return [{ kind: "environments", name, phase: "update", fields: fieldsOf({ name, lines }) }];
}

/** A list is a program with its arguments, which no shell takes apart. */
function asScript(command: string | readonly string[]): string {
  return typeof command === "string" ? command : shellCommand(command);
}
