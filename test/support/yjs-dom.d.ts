/** Names of the DOM that the types of yjs mention; Node.js has nothing of the kind. */
declare type Document = unknown;
declare type Element = unknown;
declare type Node = unknown;
declare type Text = unknown;
declare const self: unknown;
