import type { CacheStore, LoadedStore } from "../../edge/cache/store.ts";
import type { StoredObject, StoredState } from "../../edge/cache/stored-state.ts";

export type WholeState = StoredState & { readonly objects: readonly StoredObject[] };

/** Loads a store into one value: of an object that came twice, what was said last. */
export function loadWhole(store: CacheStore): LoadedStore & { readonly state: WholeState } {
  const objects = new Map<string, StoredObject>();
  const { state, trouble } = store.load((object) => objects.set(object.key, object));
  return { state: { ...state, objects: [...objects.values()] }, trouble };
}
