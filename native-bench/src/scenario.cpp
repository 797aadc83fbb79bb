#include "scenario.h"

namespace bench {

std::unique_ptr<Scenario> makeScenario(const Options& options, Share share) {
  if (options.scenario == "idle") return makeIdle(options, share);
  if (options.scenario == "echo") return makeEcho(options, share);
  if (options.scenario == "fanout") return makeFanout(options, share);
  if (options.scenario == "joins") return makeJoins(options, share);
  if (options.scenario == "reconnect") return makeReconnect(options, share);
  if (options.scenario == "mixed") return makeMixed(options, share);
  return makeConnect(options, share);
}

}  // namespace bench
