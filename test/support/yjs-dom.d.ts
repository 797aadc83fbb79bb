/** DOM types that the types of yjs refer to and that Node.js does not have. */
declare type Document = unknown;
declare type Element = unknown;
declare type Node = unknown;
declare type Text = unknown;
declare const self: unknown;
