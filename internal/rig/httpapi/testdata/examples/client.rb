require "json"
require "net/http"
require "securerandom"
require "zlib"

API = URI(ENV.fetch("API_URL"))

# Sends a body, and sends it again after 408, 429, 5xx and network faults.
def post(path, body, tries: 6)
  request = Net::HTTP::Post.new("/archives/#{path}")
  request.basic_auth(ENV.fetch("DATASINK_USER"), ENV.fetch("DATASINK_PASSWORD"))
  request["Content-Type"] = "application/octet-stream"
  request["Content-Encoding"] = "gzip"
  request["Idempotency-Key"] = SecureRandom.uuid # the same for all tries
  request.body = Zlib.gzip(body)
  (1..tries).each do |i|
    begin
      response = Net::HTTP.start(API.host, API.port, use_ssl: API.scheme == "https", open_timeout: 5, read_timeout: 10) { |http| http.request(request) }
      return JSON.parse(response.body) if response.code == "202"
      raise "#{response.code}: #{response.body}" unless response.code =~ /\A(408|429|5..)\z/
    rescue SystemCallError, IOError, Timeout::Error, OpenSSL::SSL::SSLError, SocketError => error
      raise if i == tries
    end
    raise "giving up: #{response&.code || error}" if i == tries
    sleep(rand * 0.1 * 2**(i - 1))
  end
end

p post("orders", JSON.generate(from: "ruby", n: 1))

lines = [2, 3, 4].map { |n| JSON.generate(from: "ruby", n: n) }
answer = post("orders/batch", lines.map { |line| line + "\n" }.join)
raise answer.inspect unless answer["records"] == lines.size
p answer
