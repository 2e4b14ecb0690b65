import { z } from "zod";
import { flag, integer, text } from "../../src/local/protocol/query.ts";
import { shapeNamed, type Model, type Reference } from "./api-model.ts";
import { capitalised, newerMembers, newerValues } from "./newer-model.ts";
import type { Element } from "./xml-tree.ts";

/** Collects where requests and replies of the local cloud are not what AWS's model says. */
export class Agreement {
  readonly problems = new Set<string>();
  /** What the model does not know and today's SDK does. */
  readonly newer = new Set<string>();
  readonly #model: Model;
  readonly #isJson: boolean;

  constructor(model: Model) {
    this.#model = model;
    this.#isJson = model.metadata.protocol === "json";
  }

  /** Compares an element of a reply with the shape that it is to have. */
  checkElement(reference: Reference, element: Element, place: string): void {
    const it = shapeNamed(this.#model, reference.shape);
    if (it.type === "structure") this.#checkStructure(reference.shape, element, place);
    else if (it.type === "list") {
      const item = it.member ?? { shape: "String" };
      for (const child of element.children) {
        const expected = item.locationName ?? "member";
        if (child.name !== expected)
          this.problems.add(`${place}: a list of <${expected}> has <${child.name}>`);
        else this.checkElement(item, child, `${place}[]`);
      }
      if (element.text.trim() !== "") this.problems.add(`${place}: text in a list`);
    } else {
      if (element.children.length > 0) this.problems.add(`${place}: elements in a ${it.type}`);
      this.#checkText(it.type, element.text, place);
      this.#checkValues(reference.shape, [element.text], place);
    }
  }

  #checkStructure(name: string, element: Element, place: string): void {
    const { members = {}, required = [] } = shapeNamed(this.#model, name);
    const byWireName = new Map(
      Object.entries(members).map(([member, to]) => [to.locationName ?? member, to]),
    );
    if (element.text.trim() !== "") this.problems.add(`${place}: text in a structure`);
    for (const child of element.children) {
      const member = byWireName.get(child.name);
      const at = `${place}.${child.name}`;
      if (member !== undefined) this.checkElement(member, child, at);
      else if (newerMembers(name, "output").includes(child.name)) this.newer.add(at);
      else this.problems.add(`${at}: ${name} has no such member`);
    }
    const present = element.children.map((child) => child.name);
    if (new Set(present).size < present.length) this.problems.add(`${place}: a member comes twice`);
    for (const member of required) {
      const wireName = members[member]?.locationName ?? member;
      if (!present.includes(wireName)) this.problems.add(`${place}: the required ${wireName} is missing`);
    }
  }

  #checkText(type: string, value: string, place: string): void {
    const pattern = texts[type];
    if (pattern === undefined) this.problems.add(`${place}: unknown type ${type}`);
    else if (!pattern.test(value)) this.problems.add(`${place}: ${value} is no ${type}`);
  }

  #checkValues(name: string, values: readonly string[], place: string): void {
    const { enum: known } = shapeNamed(this.#model, name);
    for (const value of values) {
      if (known === undefined || known.includes(value)) continue;
      if (newerValues(name).includes(value)) this.newer.add(`values of ${name}`);
      else this.problems.add(`${place}: ${value} is no ${name}`);
    }
  }

  /** Compares a value of a JSON reply with the shape that it is to have. */
  checkJson({ shape: name }: Reference, value: unknown, place: string): void {
    const it = shapeNamed(this.#model, name);
    if (it.type === "structure") {
      const entries = typeof value === "object" && value !== null ? Object.entries(value) : undefined;
      if (entries === undefined) this.problems.add(`${place}: no structure`);
      for (const [member, inner] of entries ?? []) {
        const to = it.members?.[member];
        if (to === undefined) this.problems.add(`${place}.${member}: ${name} has no such member`);
        else this.checkJson(to, inner, `${place}.${member}`);
      }
      for (const member of it.required ?? []) {
        if (entries?.some(([each]) => each === member) !== true) {
          this.problems.add(`${place}: the required ${member} is missing`);
        }
      }
    } else if (it.type === "list") {
      if (!Array.isArray(value)) this.problems.add(`${place}: no list`);
      const items: readonly unknown[] = Array.isArray(value) ? value : [];
      for (const item of items) this.checkJson(it.member ?? { shape: "String" }, item, `${place}[]`);
    } else if (typeof value !== (jsonTypes[it.type] ?? "string")) {
      this.problems.add(`${place}: ${typeof value} for a ${it.type}`);
    } else this.#checkValues(name, [String(value)], place);
  }

  /** Compares what an action takes with the shape of its requests. */
  checkInput(name: string, schema: z.ZodType, place: string): void {
    const { inner } = unwrapped(schema);
    const { type, member, enum: known } = shapeNamed(this.#model, name);
    const at = `${place} (${name})`;
    const kind = kindOf(inner);
    if (kind === undefined) this.problems.add(`${at}: an unknown kind of parameter`);
    else if (!kind.types.includes(type))
      this.problems.add(`${at}: takes ${kind.name}, the model has ${type}`);
    if (inner instanceof z.ZodObject && type === "structure") this.#checkMembers(name, inner, place);
    if (inner instanceof z.ZodArray && member !== undefined) {
      const { element } = inner;
      if (element instanceof z.ZodType) this.checkInput(member.shape, element, `${place}.N`);
    }
    const values = valuesOf(inner);
    if (known !== undefined && values !== undefined) this.#checkValues(name, values, place);
  }

  #checkMembers(name: string, schema: z.ZodObject, place: string): void {
    const { members = {}, required = [] } = shapeNamed(this.#model, name);
    const byWireName = new Map(
      Object.entries(members).map(([member, to]) => [this.#requestName(member, to), { member, to }]),
    );
    for (const [parameter, inner] of Object.entries(schema.shape)) {
      const at = place === "" ? parameter : `${place}.${parameter}`;
      const found = byWireName.get(parameter);
      if (!(inner instanceof z.ZodType)) this.problems.add(`${at}: not a parameter`);
      else if (found !== undefined) this.checkInput(found.to.shape, inner, at);
      else if (newerMembers(name, "input").includes(parameter)) this.newer.add(at);
      else this.problems.add(`${at}: ${name} has no such member`);
      if (inner instanceof z.ZodType && found !== undefined) {
        const { isOptional } = unwrapped(inner);
        const isRequired = required.includes(found.member);
        const isList = unwrapped(inner).inner instanceof z.ZodArray;
        if (isRequired && isOptional && !isList)
          this.problems.add(`${at}: required by the model, optional here`);
      }
    }
    for (const member of required) {
      const to = members[member];
      if (to !== undefined && !(this.#requestName(member, to) in schema.shape)) {
        this.problems.add(`${place}.${member}: required by the model, unknown here`);
      }
    }
  }

  /** EC2's own rule: the query name, else the location name in capitals, else the member's. */
  #requestName(member: string, { queryName, locationName }: Reference): string {
    if (this.#isJson) return member;
    return queryName ?? capitalised(locationName ?? member);
  }
}

const texts: Readonly<Record<string, RegExp>> = {
  boolean: /^(?:true|false)$/,
  integer: /^-?\d+$/,
  long: /^-?\d+$/,
  double: /^-?\d+(?:\.\d+)?$/,
  float: /^-?\d+(?:\.\d+)?$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  blob: /^[A-Za-z0-9+/]*={0,2}$/,
  string: /^[^]*$/,
};

const jsonTypes: Readonly<Record<string, string>> = {
  boolean: "boolean",
  integer: "number",
  long: "number",
  timestamp: "number",
};

function unwrapped(schema: z.ZodType): { readonly inner: z.ZodType; readonly isOptional: boolean } {
  let inner: z.ZodType = schema;
  let isOptional = false;
  for (;;) {
    const next: unknown =
      inner instanceof z.ZodOptional || inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault
        ? inner.def.innerType
        : inner instanceof z.ZodPipe && inner !== integer && inner !== flag
          ? inner.def.out
          : undefined;
    if (!(next instanceof z.ZodType)) return { inner, isOptional };
    if (!(inner instanceof z.ZodPipe)) isOptional = true;
    inner = next;
  }
}

function kindOf(schema: z.ZodType): { readonly name: string; readonly types: readonly string[] } | undefined {
  if (schema === integer) return { name: "an integer", types: ["integer", "long"] };
  if (schema === flag) return { name: "true or false", types: ["boolean"] };
  if (schema === text) return { name: "text", types: ["string", "timestamp", "blob"] };
  if (valuesOf(schema) !== undefined) return { name: "one of some words", types: ["string"] };
  if (schema instanceof z.ZodObject) return { name: "a structure", types: ["structure"] };
  if (schema instanceof z.ZodArray) return { name: "a list", types: ["list"] };
  return undefined;
}

function valuesOf(schema: z.ZodType): readonly string[] | undefined {
  if (schema instanceof z.ZodEnum) return schema.options.map(String);
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(String);
  return undefined;
}
