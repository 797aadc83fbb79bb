#include "transport.h"

namespace bench {

std::unique_ptr<Transport> makeTransport(const StreamSetting& setting,
                                         TransportListener& listener) {
  switch (setting.target.transport) {
    case TransportKind::longPoll:
      return makeLongPollTransport(setting, listener);
    case TransportKind::webSocket:
      break;
  }
  return makeWebSocketTransport(setting, listener);
}

}  // namespace bench
