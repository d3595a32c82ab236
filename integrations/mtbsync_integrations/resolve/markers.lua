-- What comes above this line is written by mtbsync; what follows is the same in every script.
--
-- It plans as the Python scripts do (resolve_scripts/mtbsync_resolve/plan.py): every marker of mtbsync
-- carries `mtbsync:RUN/ID#STAMP` in its customData, and one that no longer fits its stamp is the user's.
-- Of Lua it needs what a sandbox leaves: string, table, math, pairs, ipairs, print and tostring.

local PREFIX = "mtbsync:"
local MODULUS = 4294967291

local function whole(number)
  return math.floor(number + 0.5)
end

local function stamp_of(marker)
  local text = string.format("%d", marker.frame) .. "\n" .. marker.colour .. "\n"
    .. string.format("%d", marker.n_frames) .. "\n" .. marker.name .. "\n" .. marker.note
  local stamp = 0
  for k = 1, #text do
    stamp = (stamp * 257 + string.byte(text, k)) % MODULUS
  end
  return string.format("%04x%04x", math.floor(stamp / 65536), stamp % 65536)
end

local function key_of(marker)
  if string.sub(marker.custom_data, 1, #PREFIX) ~= PREFIX then
    return nil
  end
  return string.match(string.sub(marker.custom_data, #PREFIX + 1), "^(.+)#[^#]*$")
end

local function stamped(key, marker)
  return PREFIX .. key .. "#" .. stamp_of(marker)
end

local function is_untouched(marker)
  local key = key_of(marker)
  return key ~= nil and marker.custom_data == stamped(key, marker)
end

local function in_scope(key)
  return RUN == nil or string.sub(key, 1, #RUN + 1) == RUN .. "/"
end

-- The timeline's markers in order of their frames; Resolve's keys may be floats.
local function read_markers(timeline)
  local markers = {}
  for frame, about in pairs(timeline:GetMarkers() or {}) do
    markers[#markers + 1] = {
      frame = whole(frame),
      colour = about.color,
      name = about.name,
      note = about.note,
      n_frames = whole(about.duration),
      custom_data = about.customData or "",
    }
  end
  table.sort(markers, function(a, b) return a.frame < b.frame end)
  return markers
end

-- The timeline's frame that shows the run's frame; nil where none does. A run whose file nobody knows is
-- taken to begin where the timeline does.
local function timeline_frame(timeline, frame)
  if #FILES == 0 then
    return frame
  end
  local file = FILES[1]
  for _, other in ipairs(FILES) do
    if other.first <= frame then
      file = other
    end
  end
  local start, earliest = timeline:GetStartFrame(), nil
  for track = 1, timeline:GetTrackCount("video") do
    for _, item in pairs(timeline:GetItemListInTrack("video", track) or {}) do
      local medium = item:GetMediaPoolItem()
      local path = medium and medium:GetClipProperty("File Path") or ""
      if string.match(path, "[^/\\]*$") == file.name then
        local shown = item:GetStart() + frame - file.first - item:GetLeftOffset()
        if shown >= item:GetStart() and shown < item:GetEnd() and (not earliest or shown < earliest) then
          earliest = shown
        end
      end
    end
  end
  return earliest and whole(earliest - start)
end

-- A frame for every marker that can have one: first come all whose own frame is free, then the others.
local function assign(wishes, occupied, n_frames)
  local frames, crowded = {}, {}
  for _, wish in ipairs(wishes) do
    if wish.frame >= 0 and wish.frame < n_frames then
      if occupied[wish.frame] then
        crowded[#crowded + 1] = wish
      else
        occupied[wish.frame] = true
        frames[wish.key] = wish.frame
      end
    end
  end
  for _, wish in ipairs(crowded) do
    local free
    for frame = wish.frame + 1, math.min(wish.frame + REACH, n_frames - 1) do
      free = free or (not occupied[frame] and frame) or nil
    end
    for frame = wish.frame - 1, math.max(wish.frame - REACH, 0), -1 do
      free = free or (not occupied[frame] and frame) or nil
    end
    if free then
      occupied[free] = true
      frames[wish.key] = free
    end
  end
  return frames
end

local function add(timeline, marker)
  return timeline:AddMarker(
    marker.frame, marker.colour, marker.name, marker.note, marker.n_frames, marker.custom_data
  )
end

local function run(timeline)
  local n_frames = whole(timeline:GetEndFrame() - timeline:GetStartFrame())
  local own, occupied, own_keys, changed_keys = {}, {}, {}, {}
  for _, marker in ipairs(read_markers(timeline)) do
    local key = key_of(marker)
    if is_untouched(marker) and in_scope(key) then
      own[#own + 1] = marker
      own_keys[key] = true
    else
      occupied[marker.frame] = true
      if key and in_scope(key) then
        changed_keys[key] = true
      end
    end
  end

  local wishes, n_kept, n_not_shown = {}, 0, 0
  for _, wanted in ipairs(WANTED) do
    local frame = timeline_frame(timeline, wanted.frame)
    if changed_keys[wanted.key] and not own_keys[wanted.key] then
      n_kept = n_kept + 1
    elseif not frame then
      n_not_shown = n_not_shown + 1
    else
      wishes[#wishes + 1] = {
        key = wanted.key, frame = frame, colour = wanted.colour,
        name = wanted.name, note = wanted.note, n_frames = wanted.n_frames,
      }
    end
  end
  if #WANTED == 0 then
    for key in pairs(changed_keys) do
      n_kept = n_kept + (own_keys[key] and 0 or 1)
    end
  end
  table.sort(wishes, function(a, b)
    if a.frame ~= b.frame then
      return a.frame < b.frame
    end
    return a.key < b.key
  end)
  local frames = assign(wishes, occupied, n_frames)

  local targets, settled, n_shifted, n_unplaced = {}, {}, 0, 0
  for _, wish in ipairs(wishes) do
    local frame = frames[wish.key]
    if frame then
      n_shifted = n_shifted + (frame ~= wish.frame and 1 or 0)
      wish.frame = frame
      wish.custom_data = stamped(wish.key, wish)
      targets[wish.key] = wish
    else
      n_unplaced = n_unplaced + 1
    end
  end
  -- The stamp tells frame and looks, so equal customData means an equal marker.
  for _, marker in ipairs(own) do
    local target = targets[key_of(marker)]
    settled[key_of(marker)] = settled[key_of(marker)] or (target and target.custom_data == marker.custom_data)
  end

  -- Whatever leaves goes first, so that its frames are free for what comes.
  local leaving, n_removed, n_changed, n_added, n_refused = {}, 0, 0, 0, 0
  for _, marker in ipairs(own) do
    local key = key_of(marker)
    local target = targets[key]
    if not (target and target.custom_data == marker.custom_data) then
      if not timeline:DeleteMarkerAtFrame(marker.frame) then
        n_refused = n_refused + 1
        settled[key] = true
      elseif target and not settled[key] and not leaving[key] then
        leaving[key] = marker
      else
        n_removed = n_removed + 1
      end
    end
  end
  for _, wish in ipairs(wishes) do
    if targets[wish.key] and not settled[wish.key] then
      local before = leaving[wish.key]
      if not add(timeline, wish) then
        n_refused = n_refused + 1
        if before then
          add(timeline, before)
        end
      elseif before then
        n_changed = n_changed + 1
      else
        n_added = n_added + 1
      end
    end
  end

  print("mtbsync: " .. TITLE)
  print("Markers: " .. n_added .. " added, " .. n_changed .. " changed, " .. n_removed .. " taken away.")
  local remarks = {
    { n_kept, "left as you changed them" },
    { n_shifted, "moved, as another marker has the frame" },
    { n_unplaced, "not placed, as no frame near theirs on this timeline is free" },
    { n_not_shown, "not placed, as this timeline does not show their part of the run" },
    { n_refused, "refused by Resolve" },
  }
  for _, remark in ipairs(remarks) do
    if remark[1] > 0 then
      print(remark[1] .. " " .. remark[2] .. ".")
    end
  end
end

local function open_timeline()
  local manager = resolve and resolve:GetProjectManager()
  local project = manager and manager:GetCurrentProject()
  local timeline = project and project:GetCurrentTimeline()
  if not timeline then
    print("mtbsync: no timeline is open. Open one on the Edit page, and run this script again.")
    return nil
  end
  local shown = tostring(timeline:GetSetting("timelineFrameRate"))
  local rate = tonumber(string.match(shown, "^[%d.]+"))
  if FPS and not (rate and math.abs(rate - FPS) < 0.01) then
    print("mtbsync: these markers are for a timeline of " .. FPS .. " frames a second, and this one has "
      .. shown .. ". Write the script anew with --fps " .. shown .. ".")
    return nil
  end
  return timeline
end

local timeline = open_timeline()
if timeline then
  run(timeline)
end
