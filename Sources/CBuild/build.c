#include "build.h"

const char *const dht_build_commit = DHT_COMMIT;
