// A minimal Phoenix server on its own thread: WebSocket, joins, leaves, heartbeats, the event `e`
// that replies and the event `b` that broadcasts. It can be configured to make one mistake.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../src/handshake.h"
#include "../src/phoenix-protocol.h"
#include "../src/websocket-frame.h"
#include "server.h"

namespace bench::test {

/** The mistake that the server makes. */
enum class Fault { none, broadcastTwice, broadcastSkipped, broadcastsSwapped, replyTwice, closeTwice };

class PhoenixServer {
 public:
  /**
   * @param peer for faults of broadcasts: the connection concerned, counted from 0 in order of
   *             arrival; the fault affects its third broadcast
   */
  explicit PhoenixServer(Fault fault = Fault::none, std::size_t peer = 0)
      : fault_(fault), faultyPeer_(peer), bell_(eventfd(0, EFD_CLOEXEC)), thread_([this] { run(); }) {}
  ~PhoenixServer() {
    eventfd_write(bell_, 1);
    thread_.join();
    close(bell_);
  }
  PhoenixServer(const PhoenixServer&) = delete;
  PhoenixServer& operator=(const PhoenixServer&) = delete;

  const Target& target() const { return server_.target; }
  std::uint64_t joins() const { return joins_; }
  std::uint64_t leaves() const { return leaves_; }
  /** Connections that ended in a reset. */
  std::uint64_t resets() const { return resets_; }

 private:
  struct Client {
    Peer peer;
    std::size_t number;
    std::string input;
    bool isUpgraded = false;
    bool isClosed = false;
    /** join_refs by joined topic. */
    std::map<std::string, std::string, std::less<>> topics;
    int broadcasts = 0;
    std::string held;
  };

  void run() {
    for (;;) {
      std::vector<pollfd> waits{{bell_, POLLIN, 0}, {server_.descriptor(), POLLIN, 0}};
      for (const Client& client : clients_) waits.push_back({client.peer.descriptor(), POLLIN, 0});
      poll(waits.data(), waits.size(), -1);
      if (waits[0].revents != 0) return;
      std::size_t index = 2;
      for (Client& client : clients_) {
        if (waits[index++].revents != 0) read(client);
      }
      clients_.remove_if([](const Client& client) { return client.isClosed; });
      if (waits[1].revents != 0) clients_.push_back({Peer(server_.tryAccept()), accepted_++, {}, false, false, {}, 0, {}});
    }
  }

  void read(Client& client) {
    const std::string bytes = client.peer.receive();
    if (bytes.empty()) {
      client.isClosed = client.peer.hasEnded();
      if (client.peer.wasReset()) ++resets_;
      return;
    }
    client.input += bytes;
    if (!client.isUpgraded) upgrade(client);
    FrameHeader header;
    while (client.isUpgraded && !client.isClosed &&
           decodeHeader(client.input, header) == HeaderStatus::complete &&
           client.input.size() >= header.headerBytes + header.payloadBytes) {
      const auto length = static_cast<std::size_t>(header.payloadBytes);
      std::string payload = client.input.substr(header.headerBytes, length);
      client.input.erase(0, header.headerBytes + length);
      applyMask(payload.data(), payload.size(), header.maskKey);
      if (header.opcode == Opcode::text) handle(client, payload);
      if (header.opcode != Opcode::close) continue;
      client.peer.trySend("\x88\x02\x03\xE8");
      client.isClosed = true;
    }
  }

  void upgrade(Client& client) {
    const std::size_t end = client.input.find("\r\n\r\n");
    if (end == std::string::npos) return;
    constexpr std::string_view kName = "Sec-WebSocket-Key: ";
    const std::size_t key = client.input.find(kName) + kName.size();
    client.peer.trySend("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: " +
                        acceptFor(client.input.substr(key, client.input.find('\r', key) - key)) + "\r\n\r\n");
    client.input.erase(0, end + 4);
    client.isUpgraded = true;
  }

  void handle(Client& client, const std::string& text) {
    const auto message = decodeMessage(text);
    if (!message) return;
    const std::string topic(message->topic);
    const std::string reply = frameOf(*message, "phx_reply", R"({"status":"ok","response":)" +
                                      std::string(message->event == "e" ? message->payload : "{}") + "}");
    if (message->event == "b") return broadcast(topic, message->payload);
    send(client, reply);
    if (fault_ == Fault::replyTwice && message->event == "e") send(client, reply);
    if (message->event == "phx_join") {
      ++joins_;
      client.topics[topic] = message->joinRef;
    }
    if (message->event != "phx_leave") return;
    ++leaves_;
    client.topics.erase(topic);
    for (int times = fault_ == Fault::closeTwice ? 2 : 1; times > 0; --times) {
      send(client, frameOf(Message{message->joinRef, message->joinRef, topic, {}, {}}, "phx_close", "{}"));
    }
  }

  void broadcast(const std::string& topic, std::string_view payload) {
    const std::string frame = R"([null,null,")" + topic + R"(","b",)" + std::string(payload) + "]";
    for (Client& client : clients_) {
      if (!client.topics.contains(topic)) continue;
      const bool isFaulty = client.number == faultyPeer_ && ++client.broadcasts == 3;
      if (isFaulty && fault_ == Fault::broadcastSkipped) continue;
      if (isFaulty && fault_ == Fault::broadcastsSwapped) {
        client.held = frame;
        continue;
      }
      send(client, frame);
      if (isFaulty && fault_ == Fault::broadcastTwice) send(client, frame);
      if (!client.held.empty()) send(client, std::exchange(client.held, {}));
    }
  }

  static std::string frameOf(const Message& message, std::string_view event, std::string_view payload) {
    const auto refOf = [](std::string_view ref) {
      return ref.empty() ? std::string("null") : "\"" + std::string(ref) + "\"";
    };
    return "[" + refOf(message.joinRef) + "," + refOf(message.ref) + ",\"" + std::string(message.topic) +
           "\",\"" + std::string(event) + "\"," + std::string(payload) + "]";
  }

  /**
   * Sends a frame of less than 64 KB. Bytes for which the kernel has no room are lost; tests send
   * only a few.
   */
  static void send(Client& client, std::string_view text) {
    std::string frame("\x81", 1);
    if (text.size() < 126) {
      frame += static_cast<char>(text.size());
    } else {
      frame += {126, static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)};
    }
    client.peer.trySend(frame.append(text));
  }

  const Fault fault_;
  const std::size_t faultyPeer_;
  Server server_;
  const int bell_;
  std::size_t accepted_ = 0;
  std::list<Client> clients_;
  std::atomic<std::uint64_t> joins_ = 0;
  std::atomic<std::uint64_t> leaves_ = 0;
  std::atomic<std::uint64_t> resets_ = 0;
  /** Declared last because it uses all members above. */
  std::thread thread_;
};

}  // namespace bench::test
