// The scenario `idle`.
#include <string>

#include "../src/report.h"
#include "../src/scenario.h"
#include "check.h"

using namespace bench;

TEST("idle reports the server's CPU per second and connection, and no latency") {
  Options options;
  options.scenario = "idle";
  CHECK(makeScenario(options)->work() == Work::held);
  Figures figures;
  figures.joined = 100;
  figures.load.emplace();
  figures.load->elapsed = figures.load->cpuElapsed = 2 * kSecond;
  CHECK(makeJson(options, figures).find(R"("idle":null)") != std::string::npos);
  figures.load->serverCpu = 3 * kMillisecond;
  const std::string json = makeJson(options, figures);
  CHECK(json.find(R"("idle":{"cpuUsPerConnectionSecond":15.0000})") != std::string::npos);
  CHECK(json.find(R"("latencyUs":null,"bottleneck":null)") != std::string::npos);
  const std::string report = makeReport(options, figures);
  CHECK(report.find("15.00 us of server CPU per second for each") != std::string::npos);
  CHECK(report.find("latency") == std::string::npos);
}
