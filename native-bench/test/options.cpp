#include "../src/options.h"
#include "../src/quantity.h"

#include <algorithm>
#include <string>
#include <vector>

#include "check.h"

using namespace bench;

namespace {

using Words = std::vector<std::string_view>;

Options parsed(Words words) {
  words.insert(words.end(), {"--url", "ws://127.0.0.1:4000/socket/websocket"});
  return parseOptions(words);
}

std::string errorOf(Words words) {
  try {
    parsed(std::move(words));
  } catch (const OptionError& error) {
    return error.what();
  }
  return "no error";
}

std::string targetErrorOf(std::string_view url) {
  try {
    parseTarget(url);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST("takes a prefix of topics") {
  CHECK(parsed({"echo"}).topicPrefix == "bench:");
  CHECK(parsed({"echo", "--topic", "room:"}).topicPrefix == "room:");
}

TEST("fills in the defaults of the scenario") {
  CHECK(parsed({"echo"}).connections == 200 && parsed({"echo"}).rate == 10'000);
  CHECK(parsed({"fanout"}).connections == 2'000 && parsed({"fanout"}).topics == 100);
  CHECK(parsed({"connect"}).heartbeat == 30 * kSecond);
  CHECK(parsed({"echo", "--json", "--rate", "2k"}).isJson);
}

TEST("reads counts and times with their units") {
  CHECK(parseCount("10k") == 10'000U && parseCount("2m") == 2'000'000U && parseCount("0") == 0U);
  CHECK(parseDuration("500ms") == 500 * kMillisecond && parseDuration("2m") == 120 * kSecond);
  CHECK(parseDuration("100us") == 100 * kMicrosecond);
  for (const auto text : {"", "k", "1g", "-1", "1.5k", "1 k"}) CHECK(!parseCount(text));
  for (const auto text : {"", "5", "s", "-1s", "1h", "1.5s"}) CHECK(!parseDuration(text));
}

TEST("accepts the ends of a range and nothing beyond them") {
  CHECK(parsed({"echo", "--payload", "0"}).payloadBytes == 0);
  CHECK(parsed({"echo", "--payload", "1m"}).payloadBytes == 1'000'000);
  CHECK(errorOf({"echo", "--payload", "1000001"}) ==
        "payload must be an integer from 0 to 1m (bytes), got 1000001");
  CHECK(errorOf({"echo", "--duration", "99ms"}) ==
        "duration must be a time with its unit (us, ms, s, m) from 100ms to 60m (time), got 99ms");
  CHECK(errorOf({"echo", "--connections", "0"}).starts_with("connections must be an integer"));
}

TEST("names unknown scenarios and options") {
  CHECK(errorOf({"ecko"}).starts_with("the scenario must be one of connect, "));
  CHECK(errorOf({"ecko"}).ends_with(", mixed, got `ecko`"));
  CHECK(errorOf({"echo", "--rates", "1"}) == "unknown option --rates; see --help");
  CHECK(errorOf({"echo", "rate"}) == "an option must begin with --, got `rate`");
  CHECK(errorOf({"fanout", "--topics", "7"}) ==
        "topics must divide connections evenly, got 7 topics and 2000 connections");
}

TEST("refuses options of another scenario, which would have no effect") {
  CHECK(errorOf({"echo", "--topics", "3"}) == "echo has no option --topics; see echo --help");
  CHECK(errorOf({"idle", "--rate", "3"}) == "idle has no option --rate; see idle --help");
  CHECK(errorOf({"mixed", "--connections", "3"}) == "mixed has no option --connections; see mixed --help");
  CHECK(parsed({"joins", "--topics", "3"}).topics == 3);
}

TEST("topics have equal numbers of slow and deaf connections, and at least one reader") {
  CHECK(parsed({"fanout"}).deaf == 0 && parsed({"fanout"}).slow == 0);
  CHECK(parsed({"fanout", "--deaf", "200"}).deaf == 200);
  CHECK(parsed({"fanout", "--slow", "900", "--deaf", "1000"}).slow == 900);
  for (const std::string_view name : {"deaf", "slow"}) {
    const std::string flag = "--" + std::string(name);
    CHECK(errorOf({"fanout", flag, "150"}) ==
          std::string(name) + " must be a multiple of topics, got 150 and 100 topics");
    CHECK(errorOf({"fanout", flag, "2000"}).starts_with("each topic must have a reader, got 2000"));
  }
  CHECK(errorOf({"fanout", "--slow", "1000", "--deaf", "1000"}).starts_with("each topic must have"));
}

TEST("with skew, topics need not divide the connections") {
  CHECK(parsed({"fanout"}).skew == 0);
  CHECK(parsed({"fanout", "--topics", "7", "--skew", "1.1"}).skew == 1.1);
  CHECK(errorOf({"fanout", "--topics", "2k", "--connections", "1999", "--skew", "1"})
            .starts_with("each topic must have a reader"));
  CHECK(errorOf({"fanout", "--skew", "4.1"}) ==
        "skew must be a number from 0 to 4 (exponent), got 4.1");
  for (const auto text : {"", "x", "1.", "-1", "1e1", "nan", "inf", "0x1"}) {
    const auto number = parseNumber(text);
    CHECK(!number || *number < 0 || std::string_view(text) == "1.");
  }
}

TEST("each thread has at least one connection") {
  CHECK(parsed({"echo"}).threads == 1);
  CHECK(parsed({"echo", "--threads", "64"}).threads == 64);
  CHECK(errorOf({"echo", "--threads", "65"}) ==
        "threads must be an integer from 1 to 64 (threads), got 65");
  CHECK(errorOf({"echo", "--connections", "2", "--threads", "3"}) ==
        "threads must be at most connections, got 3 threads and 2 connections");
}

TEST("live lines need JSON") {
  CHECK(parsed({"echo"}).live == 0);
  CHECK(parsed({"echo", "--json", "--live", "500ms"}).live == 500 * kMillisecond);
  CHECK(errorOf({"echo", "--live", "1s"}) == "live must come with --json");
}

TEST("accepts only URLs of this machine") {
  CHECK(parseTarget("ws://localhost:4000").path == "/?vsn=2.0.0");
  CHECK(parseTarget("ws://127.1.2.3/socket/websocket?a=b").path == "/socket/websocket?a=b&vsn=2.0.0");
  CHECK(parseTarget("ws://127.0.0.1:81/?vsn=2.0.0").path == "/?vsn=2.0.0");
  CHECK(parseTarget("ws://127.0.0.1:81/").port == 81);
  for (const auto url : {"ws://example.com/", "ws://10.0.0.1:80/", "ws://128.0.0.1/", "ws://127.0.0.1.example.com/",
                         "ws://127.0.0.256/", "ws://127.0.0/", "ws://user@127.0.0.1/", "ws://"}) {
    CHECK(targetErrorOf(url).starts_with("load goes to this machine only"));
  }
  CHECK(targetErrorOf("http://127.0.0.1/").starts_with("url must begin with ws://"));
  CHECK(targetErrorOf("ws://127.0.0.1:0/").starts_with("the port of url must be"));
}

TEST("long-poll uses its own path, and two descriptors per connection") {
  CHECK(parsed({"echo"}).target.transport == TransportKind::webSocket);
  CHECK(parsed({"echo"}).target.path == "/socket/websocket?vsn=2.0.0");
  CHECK(parsed({"echo", "--transport", "longpoll"}).target.transport == TransportKind::longPoll);
  CHECK(parsed({"echo", "--transport", "longpoll"}).target.path == "/socket/longpoll?vsn=2.0.0");
  const auto pathOf = [](std::string_view url) {
    return parseTarget(url, phoenixProtocol(), TransportKind::longPoll).path;
  };
  CHECK(pathOf("ws://127.0.0.1/socket/websocket?a=/websocket") == "/socket/longpoll?a=/websocket&vsn=2.0.0");
  CHECK(pathOf("ws://127.0.0.1/my/longpoll") == "/my/longpoll?vsn=2.0.0");
  CHECK(errorOf({"echo", "--transport", "carrier pigeon"}) ==
        "transport must be websocket or longpoll, got `carrier pigeon`");
  CHECK(errorOf({"echo", "--transport", "longpoll", "--protocol", "socket.io"}) ==
        "protocol must be phoenix over longpoll, got `socket.io`");
  CHECK(errorOf({"fanout", "--transport", "longpoll", "--deaf", "100"}) ==
        "slow and deaf must be 0 over longpoll, got 0 and 100");
}

TEST("mixed needs a day, which determines the number of connections") {
  CHECK(errorOf({"mixed"}) == "mixed needs --file, a day to play");
  CHECK(errorOf({"mixed", "--file", "none.csv"}) == "file must be a readable file (a day), got none.csv");
  const Options mixed = parsed({"mixed", "--file", "days/office-day.csv", "--speed", "60"});
  CHECK(mixed.connections == 420 && mixed.day.duration() == 9 * kSecond);
  CHECK(errorOf({"mixed", "--file", "days/office-day.csv", "--speed", "0"}) ==
        "speed must be an integer from 1 to 1k (times), got 0");
}

TEST("only Phoenix's protocol can join further topics on a connection") {
  for (const auto& words : {Words{"joins"}, Words{"mixed", "--file", "days/office-day.csv"}}) {
    Words all = words;
    all.insert(all.end(), {"--protocol", "socket.io"});
    CHECK(errorOf(all) == "protocol must be phoenix in " + std::string(words.front()) + ", got `socket.io`");
  }
}

TEST("the overview and the help of each scenario fit a screen") {
  for (const auto scenario : {"", "connect", "idle", "echo", "fanout", "joins", "reconnect", "mixed"}) {
    const std::string help = helpText(scenario);
    CHECK(std::count(help.begin(), help.end(), '\n') <= 24);
    std::size_t start = 0;
    for (std::size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', start)) {
      CHECK(end - start <= 80);
      start = end + 1;
    }
  }
}

TEST("the help of a scenario shows its own options, the overview the common ones") {
  CHECK(parseOptions(Words{"fanout", "--help"}).scenario == "fanout");
  CHECK(parseOptions(Words{"--help"}).scenario.empty());
  CHECK(helpText("fanout").find("--topics") != std::string::npos);
  CHECK(helpText("fanout").find("(2k)") != std::string::npos);
  CHECK(helpText("echo").find("--topics") == std::string::npos);
  CHECK(helpText("echo").find("--json") == std::string::npos);
  CHECK(helpText().find("--json") != std::string::npos);
  CHECK(helpText().find("--rate") == std::string::npos);
}
