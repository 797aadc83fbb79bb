#include "protocol.h"

namespace bench {

const Protocol* protocolNamed(std::string_view name) {
  for (const Protocol* protocol : {&phoenixProtocol(), &socketIoProtocol()}) {
    if (protocol->name() == name) return protocol;
  }
  return nullptr;
}

}  // namespace bench
