/** What a decoder of outside bytes returns: it never throws on them. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function fail<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** Why bytes or text from outside were refused, and where: a byte offset, or a path such as "spec.ports[0].port". */
export interface DecodeError {
  readonly at: string | number;
  readonly why: string;
}
