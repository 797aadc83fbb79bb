-- Opens a session, and listens for its answers.
SELECT id, 'simurgh:' || id AS channel FROM simurgh.open('/socket') AS id \gset
LISTEN :"channel";

-- Joins a topic with the join_ref 1, and sends a message. Each has a ref of its own.
INSERT INTO simurgh.inbox (session, join_ref, ref, topic, event, payload) VALUES
  (:'id', '1', '1', 'room:lobby', 'phx_join', '{}'),
  (:'id', '1', '2', 'room:lobby', 'say', '{"text": "hello from SQL"}');
