// Words, times. `key|English|中文`; without English it is the key; $0 is an argument.

import * as my from './store.js'

const WORDS = {}
for(const line of `join||加入
make|Make a room|创建房间
rooms||房间
roomName|Name of the room|房间名称
roomRef|Room number or link|房间号或链接
yourName|Your name|你的名字
password||密码
optional|Password (optional)|密码（可选）
room|Room $0|房间 $0
back|All rooms|所有房间
language|中文|English
close||关闭
yes|OK|确定
copy||复制
more||更多
connecting|Connecting …|正在连接…
catching|Loading …|正在加载…
waiting|Offline: trying again|已离线，即将重试
seconds|in $0 s|$0 秒后
online|Caught up|已是最新
lost|Some older messages are gone|部分较早的消息已不存在
messages||消息
begins|$0 begins here.|“$0”从这里开始。
new|new|条新消息
newest||最新
today||今天
yesterday||昨天
edited|edited|已编辑
sending|sending|发送中
sent|sent|已发送
failed|not sent|未发送
retry||重试
late|you were out of the room|你当时不在房间中
noMore|This message is no more.|该消息已不存在。
write|Write a message|输入消息
send||发送
reply||回复
edit||编辑
delete||删除
deleted|$0 deleted|已删除 $0 条
deleted+|$1 deleted $0|$1 删除了 $0 条
tooLong|$0 characters too many|超出 $0 个字符
typing|$0 writing …|$0 正在输入…
here|$0 of $1 here|$0/$1 在线
in|here|在线
out|away|离开
owner|owner|房主
muted|muted|已禁言
search||搜索
nothing|Nothing found|没有找到
board|Board for the wall|投影大屏
share|Invite|邀请
sound||提示音
leave|Leave the room|离开房间
keyStays| (this device stays its owner)|（此设备仍为房主）
hand|Raise hand|举手
lower|Lower the hand|放下手
mutedYou|You are muted until $0|你已被禁言至 $0
kicked|You were taken out of this room.|你已被移出该房间。
closed|This room was closed.|该房间已关闭。
gone|You are no longer in this room.|你已不在该房间中。
settings|Room settings|房间设置
newPassword|New password|新密码
open|Remove the password|取消密码
lock|Locked: nobody new can join|锁定：不允许新成员加入
quiet|Quiet: only owners write|安静：仅房主可发言
ownerHint|Owner link: who opens it is an owner.|房主链接：打开它的人即为房主。
void|This owner link is void.|此房主链接已失效。
bare|Show the owner link|显示房主链接
anew|New owner link; the old one is void|新的房主链接（旧链接失效）
export|Messages and attendance|消息和出勤
closeRoom|Close the room for good|永久关闭房间
allow|Let $0 in again|允许 $0 再次加入
mute||禁言
minutes||禁言分钟数
unmute|Let write again|解除禁言
kick|Take out|移出房间
keepOut|Take out and keep out|移出并禁止加入
wipe|Delete all messages|删除全部消息
appoint|Make an owner|设为房主
dismiss|No longer an owner|取消房主
done||完成
joined|$0 joined|$0 加入了房间
left|$0 left|$0 离开了房间
renamed+|$0 named the room $1|$0 将房间改名为 $1
password+|$0 set a password|$0 设置了密码
password-|$0 removed the password|$0 取消了密码
locked+|$0 locked the room|$0 锁定了房间
locked-|$0 unlocked the room|$0 解锁了房间
quiet+|$0: quiet, only owners write|$0 开启了安静：仅房主可发言
quiet-|$0: everyone can write|$0 结束了安静：大家可以发言
muted+|$1 is muted until $2|$1 被禁言至 $2
muted-|$0 lets $1 write again|$0 解除了 $1 的禁言
kicked+|$0 took $1 out|$0 将 $1 移出了房间
allowed+|$0 lets $1 in again|$0 允许 $1 再次加入
owner+|$1 is now an owner|$1 成为房主
owner-|$1 is no longer an owner|$1 不再是房主
wiped+|$0 deleted all messages of $1|$0 删除了 $1 的全部消息
link+|$0 made the owner link anew|$0 更换了房主链接
silence|The server does not answer.|服务器没有响应。`.split('\n')){
	const [key, en, zh] = line.split('|')
	WORDS[key] = {en: en || key[0].toUpperCase() + key.slice(1), zh}
}

const page = document.documentElement
export const lang = ()=>page.lang.slice(0, 2)
export const t = (key, ...args)=>(WORDS[key]?.[lang()] || '').replace(/\$(\d)/g, (_, i)=>args[i])
export const refusal = ({msg, message = msg, messages = {}})=>messages[lang()] || message || t('silence')

function setLang(){
	const wanted = [my.get('lang'), ...navigator.languages].find(code=>/^(en|zh)/i.test(code))
	page.lang = /^zh/i.test(wanted) ? 'zh-CN' : /^en/.test(navigator.language) ? navigator.language : 'en-GB'
}
setLang()

export function switchLang(){
	my.set('lang', lang() === 'en' ? 'zh' : 'en')
	setLang()
}
/** A name in a sentence keeps its direction. */
export const bidi = name=>`\u2068${name}\u2069`
/** Not all browsers read nanoseconds. */
export const millis = sent=>Date.parse((sent || '').replace(/(\.\d{3})\d+/, '$1')) || 0

const show = (ms, options)=>new Date(ms).toLocaleString(page.lang, options)
export const clock = ms=>show(ms, {timeStyle: 'short'})
export const when = ms=>show(ms, {timeStyle: 'short', dateStyle: dayOf(ms) === dayOf(Date.now()) ? undefined : 'medium'})
export const dayOf = ms=>new Date(ms).setHours(0, 0, 0, 0)

export function day(ms){
	const ago = Math.round((dayOf(Date.now()) - dayOf(ms)) / 864e5)
	return t(['today', 'yesterday'][ago]) || show(ms, {dateStyle: 'full'})
}
