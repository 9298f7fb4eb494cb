import { fail, ok, type Result } from "../../src/base/result.ts";

type Labels = Readonly<Record<string, unknown>>;

/** Whether an object's labels, or its name and namespace, meet a selector. */
export type Selector = (object: Readonly<Record<string, unknown>>) => boolean;

const EVERYTHING: Selector = () => true;
/** A selector is written by a person or a program that wants a handful of terms. */
const SELECTOR_LENGTH_MAX = 4096;

/** Kubernetes' label selectors: "a=b,c!=d,e in (f,g),h notin (i),j,!k". */
export function parseLabelSelector(text: string): Result<Selector, string> {
  if (text === "") return ok(EVERYTHING);
  if (text.length > SELECTOR_LENGTH_MAX) return fail("the label selector is too long");
  const tests: ((labels: Labels) => boolean)[] = [];
  for (const term of text.split(/,(?![^(]*\))/)) {
    const test = parseTerm(term.trim());
    if (test === undefined) return fail(`the label selector has a term that makes no sense: ${term}`);
    tests.push(test);
  }
  return ok((object) => {
    const { labels } = (object["metadata"] ?? {}) as { readonly labels?: Labels };
    return tests.every((test) => test(labels ?? {}));
  });
}

const KEY = String.raw`[\w./-]+`;
const TERMS: readonly (readonly [RegExp, (key: string, value: string) => (labels: Labels) => boolean])[] = [
  [new RegExp(`^(${KEY})\\s*==?\\s*([\\w.-]*)$`), (key, value) => (labels) => own(labels, key) === value],
  [new RegExp(`^(${KEY})\\s*!=\\s*([\\w.-]*)$`), (key, value) => (labels) => own(labels, key) !== value],
  [new RegExp(`^(${KEY})\\s+in\\s+\\(([^()]*)\\)$`), (key, value) => (labels) => isAmong(own(labels, key), value)],
  [new RegExp(`^(${KEY})\\s+notin\\s+\\(([^()]*)\\)$`), (key, value) => (labels) => !isAmong(own(labels, key), value)],
  [new RegExp(`^(${KEY})$`), (key) => (labels) => own(labels, key) !== undefined],
  [new RegExp(`^!\\s*(${KEY})$`), (key) => (labels) => own(labels, key) === undefined],
];

function parseTerm(term: string): ((labels: Labels) => boolean) | undefined {
  for (const [pattern, make] of TERMS) {
    const match = pattern.exec(term);
    if (match !== null) return make(match[1] ?? "", match[2] ?? "");
  }
  return undefined;
}

function own(labels: Labels, key: string): unknown {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function isAmong(value: unknown, list: string): boolean {
  return list.split(",").some((item) => item.trim() === value);
}

/** metadata.name and metadata.namespace, equal or not: what every resource has. */
export function parseFieldSelector(text: string): Result<Selector, string> {
  if (text === "") return ok(EVERYTHING);
  if (text.length > SELECTOR_LENGTH_MAX) return fail("the field selector is too long");
  const tests: Selector[] = [];
  for (const term of text.split(",")) {
    const match = /^metadata\.(name|namespace)\s*(==|=|!=)\s*([\w.-]*)$/.exec(term.trim());
    if (match === null) return fail(`field label not supported: ${term}`);
    const [, field = "", operator, value] = match;
    tests.push((object) => {
      const metadata = object["metadata"] as Labels;
      return (own(metadata, field) ?? "") === value ? operator !== "!=" : operator === "!=";
    });
  }
  return ok((object) => tests.every((test) => test(object)));
}
