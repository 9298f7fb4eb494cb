/** FabEdge's: its operator marks with it what it makes, and so does ours, which takes its place. */
export const CREATED_BY_LABEL = "fabedge.io/created-by";
export const CREATED_BY = "fabedge-operator";
