#include "scenario.h"

namespace bench {

std::unique_ptr<Scenario> makeScenario(const Options& options) {
  if (options.scenario == "echo") return makeEcho(options);
  if (options.scenario == "fanout") return makeFanout(options);
  return makeConnect(options);
}

}  // namespace bench
