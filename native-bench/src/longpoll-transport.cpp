// A long-poll client like Phoenix's own: one poll is always outstanding, while posts are sent over
// a second connection.
//
//   opening --410 with a token--> open --close()--> closed
//      |                            |
//      +-------- trouble -----------+--> closed
//
//   GET  /socket/longpoll?vsn=2.0.0             ->   requests a session
//   <- {"status":410,"token":"T","messages":[]}
//   GET  /socket/longpoll?vsn=2.0.0&token=T     ->   a poll; the next one follows its answer at once
//   <- {"status":200,"token":"T","messages":["[\"11\",\"1\",...]"]}   or 204 if there are none
//   POST /socket/longpoll?vsn=2.0.0&token=T     ->   frames, one per line
//   <- {"status":200}
//
// At most one POST is outstanding. Frames sent in the meantime wait for the next POST; each POST
// carries at most 100 frames. (Phoenix's client also gathers the frames of one turn of its loop;
// here a frame is sent at once if no POST is outstanding.) All these answers are HTTP 200. Any
// other status in HTTP or in the body ends the connection: 403, 408, or 410 for a client that has a
// token.
//
// A client leaves without telling the server, which notices that no further poll arrives.
#include <algorithm>
#include <vector>

#include "http-client.h"
#include "json.h"
#include "transport.h"

namespace bench {

namespace {

constexpr std::uint64_t kOk = 200;
constexpr std::uint64_t kNothing = 204;
constexpr std::uint64_t kNewSession = 410;
/** Maximum number of frames in a POST; servers ignore any further frames. */
constexpr std::size_t kMaxLines = 100;

/** Encodes all characters except letters, digits and `-._~` as %XX, for a query. */
std::string percentEncoded(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char character : text) {
    if (kPlain.find(character) != std::string_view::npos) {
      encoded += character;
      continue;
    }
    const auto byte = static_cast<unsigned char>(character);
    encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return encoded;
}

class LongPollTransport final : public Transport, private HttpClientListener {
 public:
  LongPollTransport(const StreamSetting& setting, TransportListener& listener)
      : target_(setting.target),
        path_(setting.target.path),
        listener_(listener),
        polls_(setting, *this),
        posts_(setting, *this) {}

  void open() override { poll(); }

  void send(std::string_view text) override {
    lines_.emplace_back(text);
    if (!posts_.isBusy()) post();
  }

  bool hasHeartbeats() const override { return false; }

  // The options forbid slow and deaf connections over this transport: a client that stops polling
  // counts as gone.
  void stopReading() override {}
  void readSome(std::size_t) override {}
  void readAgain() override {}

  void close() override { end({}); }

  void drop(Drop how) override {
    isClosed_ = true;
    for (HttpClient* client : {&polls_, &posts_}) how == Drop::reset ? client->cut() : client->drop();
  }

 private:
  void onResponse(HttpClient& client, const HttpResponse& response, Nanoseconds now) override {
    const std::string call = &client == &polls_ ? "a poll" : "a POST";
    if (response.status != kOk) {
      return end(call + " was answered with HTTP " + std::to_string(response.status));
    }
    const auto raw = jsonMember(response.body, "status");
    const auto status = raw ? jsonUnsigned(*raw) : std::nullopt;
    if (!status) return end(call + " was answered with " + response.body);
    if (&client == &polls_) return handlePoll(*status, response.body, now);
    if (*status != kOk) return end(call + " was answered with status " + std::to_string(*status));
    if (!lines_.empty()) post();
  }

  void onHttpFailure(const std::string& reason) override { end(reason); }

  void end(const std::string& reason) {
    if (isClosed_) return;
    drop(Drop::end);
    listener_.onClosed(reason);
  }

  void handlePoll(std::uint64_t status, std::string_view body, Nanoseconds now) {
    const bool isNew = status == kNewSession && !isOpen_;
    if (!isNew && (!isOpen_ || (status != kOk && status != kNothing))) {
      return end("a poll was answered with status " + std::to_string(status));
    }
    const auto token = jsonUnquote(jsonMember(body, "token").value_or(""));
    const auto messages = jsonArray(jsonMember(body, "messages").value_or(""));
    if (!token || !messages) return end("a poll was answered with " + std::string(body));
    path_ = target_.path + (target_.path.find('?') == std::string::npos ? "?" : "&") + "token=" +
            percentEncoded(*token);
    poll();
    if (isNew) {
      isOpen_ = true;
      listener_.onOpen();
    }
    for (const std::string_view message : *messages) {
      if (isClosed_) return;
      const auto text = jsonUnquote(message);
      if (!text) return end("a poll was answered with " + std::string(body));
      listener_.onText(*text, now);
    }
  }

  void poll() {
    std::string request = "GET ";
    request.append(path_).append(" HTTP/1.1\r\nHost: ").append(target_.host);
    polls_.request(request.append("\r\nAccept: application/json\r\n\r\n"));
  }

  void post() {
    const auto count = static_cast<std::ptrdiff_t>(std::min(lines_.size(), kMaxLines));
    std::string body;
    for (auto line = lines_.begin(); line != lines_.begin() + count; ++line) {
      body.append(body.empty() ? "" : "\n").append(*line);
    }
    lines_.erase(lines_.begin(), lines_.begin() + count);
    std::string request = "POST ";
    request.append(path_).append(" HTTP/1.1\r\nHost: ").append(target_.host);
    request.append("\r\nContent-Type: application/x-ndjson\r\nContent-Length: ");
    posts_.request(request.append(std::to_string(body.size())).append("\r\n\r\n").append(body));
  }

  const Target& target_;
  /** Includes the token once the server has sent one. */
  std::string path_;
  TransportListener& listener_;
  bool isOpen_ = false;
  bool isClosed_ = false;
  /** Frames that wait for the outstanding POST to be answered. */
  std::vector<std::string> lines_;
  HttpClient polls_;
  HttpClient posts_;
};

}  // namespace

std::unique_ptr<Transport> makeLongPollTransport(const StreamSetting& setting,
                                                 TransportListener& listener) {
  return std::make_unique<LongPollTransport>(setting, listener);
}

}  // namespace bench
